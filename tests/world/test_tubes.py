import numpy as np
import pytest

from pipeline.world.body import Shape
from pipeline.world.tubes import UPRIGHT, Tailor, limit_taper, rings


@pytest.fixture(scope="module")
def tailor(body) -> Tailor:
    return Tailor(body, body.shaped(Shape(female=0.5, weight=0.3, height=0, age=0.2)))


def test_ring_encloses_its_cross_section_tightly(tailor):
    stations = np.linspace(tailor.heights.hip, tailor.heights.chest, 6)
    section, first = tailor.trunk.points(stations)
    outline = rings(tailor.trunk, stations, 30).points(UPRIGHT)
    turns = np.linspace(0, 2 * np.pi, 40)
    for points, ring in zip(np.split(section, first[1:], 1), outline, strict=True):
        reach = np.cos(turns)[:, None] * points[0] + np.sin(turns)[:, None] * points[1]
        around = np.cos(turns)[:, None] * ring[:, 2] + np.sin(turns)[:, None] * ring[:, 0]
        gap = around.max(1) - reach.max(1)
        assert gap.min() > -0.003
        assert gap.max() < 0.01


def test_cloth_narrows_by_at_most_the_taper():
    radii = np.array([[0.3], [0.1], [0.28]])
    steps = np.array([0, 0.5, 0.5])
    np.testing.assert_allclose(limit_taper(radii, steps, 0)[:, 0], [0.3, 0.3, 0.3])
    np.testing.assert_allclose(limit_taper(radii, steps, 0.2)[:, 0], [0.3, 0.2, 0.28])


def test_skin_has_the_four_largest_weights(tailor):
    names = ("pelvis", "spine_01", "spine_02", "spine_03", "head")
    weights = dict(zip(names, np.array([[1.0], [4], [2], [3], [0.5]]), strict=True))
    skin = tailor.skin(weights)
    bones = [tailor.body.bones[bone] for bone in skin.bones[0]]
    assert bones == ["spine_01", "spine_03", "spine_02", "pelvis"]
    np.testing.assert_allclose(skin.weights, [[0.4, 0.3, 0.2, 0.1]])
