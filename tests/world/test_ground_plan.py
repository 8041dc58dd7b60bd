from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.world.ground_plan import GroundPlan, Mark, Strip
from pipeline.world.textures import Texture
from pipeline.world.view import Rays

EYE = np.array([0, 4, 0], np.float32)


def plain(*values: float) -> Texture:
    """A texture of one colour, or of one colour and coverage."""
    return Texture(np.full((16, 16, len(values)), values, np.float32), 0.1)


DARK, BRIGHT, RED = plain(0.1, 0.1, 0.1), plain(0.4, 0.4, 0.4), plain(0.3, 0.1, 0.1)
CLEAN = plain(0.5, 0.5, 0.5, 0.5)


def albedo(plan: GroundPlan, *points: tuple[float, float], pixel: float = 0.001) -> np.ndarray:
    """(N, 3) albedo of the ground at (x, z)."""
    ground = np.array([(x, 0, z) for x, z in points], np.float32)
    return plan.albedo(Rays(EYE, (ground - EYE) / 10, pixel), ground)


def two_strips(heading: float, grime: Texture = CLEAN, ragged: float = 0) -> GroundPlan:
    return GroundPlan((0, -10), heading, [Strip(0, DARK, ragged), Strip(0, BRIGHT)], [], grime)


@pytest.mark.parametrize(
    ("heading", "near", "far"),
    [(0.0, (3, -9), (3, -11)), (math.pi / 2, (1, -6), (-1, -6))],
)
def test_strips_lie_side_by_side_along_the_heading(
    heading: float, near: tuple[float, float], far: tuple[float, float]
) -> None:
    seen = albedo(two_strips(heading), near, far)[:, 0]
    np.testing.assert_allclose(seen, [0.1, 0.4], atol=0.005)


def test_a_pixel_on_a_border_mixes_both_strips() -> None:
    mixed = albedo(two_strips(0), (0, -10), pixel=0.02)
    mostly_dark = albedo(two_strips(0), (0, -9.9), pixel=0.02)
    np.testing.assert_allclose(mixed, 0.25, atol=0.01)
    np.testing.assert_allclose(mostly_dark, 0.195, atol=0.02)


def test_a_ragged_border_wanders_with_the_grime() -> None:
    wandering = plain(0.5, 0.5, 0.5, 1.0)
    point = (0, -9.8)
    straight, ragged = (albedo(two_strips(0, wandering, r), point)[0, 0] for r in (0, 0.5))
    assert straight == pytest.approx(0.1, abs=0.005)
    assert ragged == pytest.approx(0.4, abs=0.01)


def test_tone_and_grime_are_factors_on_the_texture() -> None:
    plan = GroundPlan((0, -10), 0, [Strip(0, BRIGHT, tone=0.5)], [], plain(0.25, 0.5, 0.5, 0.5))
    np.testing.assert_allclose(albedo(plan, (0, -8))[0], [0.1, 0.2, 0.2], atol=0.005)


def test_a_mark_covers_its_turned_rectangle_and_nothing_else() -> None:
    mark = Mark(1, -8, math.pi / 6, 2.0, 0.4, RED)  # its long side is towards +x and -z
    plan = GroundPlan((0, -10), 0, [Strip(0, BRIGHT)], [mark], CLEAN)
    inside = albedo(plan, (1, -8), (1.78, -8.45), (0.22, -7.55), (1.07, -7.87))
    outside = albedo(plan, (1.78, -7.55), (1.95, -8.55), (1.12, -7.78), (-1, -8))
    np.testing.assert_allclose(inside, [[0.3, 0.1, 0.1]] * 4, atol=0.005)
    np.testing.assert_allclose(outside, 0.4, atol=0.005)


def test_a_mark_with_coverage_lets_the_ground_through() -> None:
    half = plain(0.05, 0.05, 0.05, 0.5)
    plan = GroundPlan((0, -10), 0, [Strip(0, BRIGHT)], [Mark(0, -8, 0, 1, 1, half)], CLEAN)
    np.testing.assert_allclose(albedo(plan, (0, -8)), 0.05 + 0.5 * 0.4, atol=0.01)
