from __future__ import annotations

import numpy as np
import pytest

from pipeline.world import grounds, marks
from pipeline.world.textures import Texture, TexturePainter
from pipeline.world.walls import HOUSES, SCREENS

GROUNDS = (
    *grounds.PAVED,
    *(grounds.red_asphalt, grounds.gravel, grounds.grass, grounds.earth),
    *(grounds.kerb, grounds.paint),
)
MARKS = (
    *(marks.cover, marks.grating, marks.repair, marks.puddle),
    *(marks.stain, marks.leaves, marks.line, marks.band),
)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def texels(texture: Texture) -> np.ndarray:
    """(H, W, 4) colours and coverage of the texels."""
    height, width = (round(size / texture.texel) for size in texture.size)
    v, u = (np.indices((height, width)).reshape(2, -1) + 0.5) * texture.texel
    u, v, point = u.astype(np.float32), v.astype(np.float32), np.zeros(len(u), np.float32)
    return texture.sample(u, v, point, point).reshape(height, width, 4)


def named(painter: TexturePainter) -> str:
    return getattr(painter, "__name__", str(painter))


@pytest.mark.parametrize("painter", [*HOUSES, *SCREENS, *MARKS], ids=named)
def test_a_painter_is_determined_by_its_seed(painter: TexturePainter) -> None:
    first, again, other = (texels(painter(rng(seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()


@pytest.mark.parametrize("painter", HOUSES, ids=named)
def test_a_house_is_opaque_and_has_structure(painter: TexturePainter) -> None:
    for seed in range(3):
        seen = texels(painter(rng(seed)))
        np.testing.assert_array_equal(seen[..., 3], 1)
        assert seen[..., :3].std((0, 1)).min() > 0.02


@pytest.mark.parametrize("painter", SCREENS, ids=named)
def test_a_screen_stands_on_the_ground_and_has_gaps(painter: TexturePainter) -> None:
    for seed in range(3):
        coverage = texels(painter(rng(seed)))[..., 3]
        assert coverage[-1].max() > 0.99
        assert coverage.min() == 0


@pytest.mark.parametrize("painter", MARKS, ids=named)
def test_a_mark_covers_its_middle_but_not_all(painter: TexturePainter) -> None:
    for seed in range(3):
        coverage = texels(painter(rng(seed)))[..., 3]
        assert coverage[24:40, 24:40].mean() > 0.2
        assert coverage.min() == 0


@pytest.mark.parametrize("painter", GROUNDS, ids=lambda painter: painter.__name__)
def test_a_ground_is_opaque_dark_and_has_structure(painter: grounds.Painter) -> None:
    for seed in range(3):
        seen = texels(grounds.ground_texture(rng(seed), painter))
        np.testing.assert_array_equal(seen[..., 3], 1)
        assert 0.03 < seen[..., :3].mean() < 0.7
        assert seen[..., :3].std((0, 1)).max() > 0.004


def test_leaves_and_spots_lie_on_paving_only() -> None:
    plain = grounds.slabs(rng(3), 256)
    paved = texels(grounds.ground_texture(rng(3), grounds.slabs))[..., :3]
    assert (np.abs(paved - np.clip(plain, 0.01, 0.9)) > 0.02).any()
    gravel = texels(grounds.ground_texture(rng(3), grounds.gravel))[..., :3]
    clipped = np.clip(grounds.gravel(rng(3), 256), 0.01, 0.9)
    np.testing.assert_allclose(gravel, clipped, atol=0.005)
