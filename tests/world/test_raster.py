"""The z-buffer against a loop over all triangles and pixels."""

import numpy as np
import pytest

from pipeline.world.raster import Samples, barycentric, fragments, rasterise

SIZE = (24, 17)


def by_loops(points, triangles, size, cut=None):
    """Triangle, depth and corrected weights of each covered pixel, by the definitions."""
    nearest = {}
    for row, triangle in enumerate(triangles):
        (x0, y0, z0), (x1, y1, z1), (x2, y2, z2) = points[triangle].astype(float)
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-6:
            continue
        for y, x in np.ndindex(*size):
            px, py = x + 0.5, y + 0.5
            w1 = ((px - x0) * (y2 - y0) - (x2 - x0) * (py - y0)) / area
            w2 = ((x1 - x0) * (py - y0) - (px - x0) * (y1 - y0)) / area
            weights = np.array([1 - w1 - w2, w1, w2])
            if weights.min() < 0 or (cut is not None and weights @ cut[triangle] < 0):
                continue
            nearness = weights / [z0, z1, z2]
            depth = 1 / nearness.sum()
            place = y * size[1] + x
            if place not in nearest or depth < nearest[place][1]:
                nearest[place] = (row, depth, nearness * depth)
    return nearest


def scene(seed, triangles=40):
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-4, [SIZE[1] + 4, SIZE[0] + 4], (triangles, 1, 2))
    corners = centres + rng.normal(0, 5, (triangles, 3, 2))
    depth = rng.uniform(1, 9, (triangles, 3, 1))
    points = np.concatenate([corners, depth], 2).reshape(-1, 3).astype(np.float32)
    return points, np.arange(3 * triangles, dtype=np.int32).reshape(-1, 3)


@pytest.mark.parametrize("with_holes", [False, True])
def test_equals_a_loop_over_triangles_and_pixels(with_holes):
    for seed in range(4):
        points, triangles = scene(seed)
        rng = np.random.default_rng(seed)
        cut = rng.normal(0.3, 1, len(points)).astype(np.float32) if with_holes else None
        found = rasterise(points, triangles, SIZE, cut)
        expected = by_loops(points, triangles, SIZE, cut)
        assert found.places.tolist() == sorted(expected)
        rows, depth, weights = zip(*(expected[p] for p in found.places.tolist()), strict=True)
        np.testing.assert_array_equal(found.triangles, rows)
        np.testing.assert_allclose(found.depth, depth, rtol=1e-5)
        mixed = barycentric(points, triangles[found.triangles], found.places, SIZE[1])
        np.testing.assert_allclose(mixed, weights, atol=1e-4)


@pytest.mark.parametrize("with_holes", [False, True])
def test_fragments_are_the_samples_of_each_triangle_alone(with_holes):
    points, triangles = scene(5)
    cut = np.random.default_rng(5).normal(0.3, 1, len(points)).astype(np.float32)
    cut = cut if with_holes else None
    found = fragments(points, triangles, SIZE, cut)
    for number, triangle in enumerate(triangles):
        alone = rasterise(points, triangle[None], SIZE, cut)
        own = found.triangles == number
        assert found.places[own].tolist() == alone.places.tolist()
        np.testing.assert_array_equal(1 / found.nearness[own], alone.depth)


def test_neighbours_leave_no_crack_and_a_fan_covers_its_square():
    corners = np.float32(
        [[2, 2, 3], [14.3, 2.1, 3], [14.1, 20.2, 3], [2.2, 20, 3], [7.77, 9.13, 3]]
    )
    fan = np.int32([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    whole = rasterise(corners, np.int32([[0, 1, 2], [0, 2, 3]]), SIZE)
    assert rasterise(corners, fan, SIZE).places.tolist() == whole.places.tolist()
    assert len(whole.places) == 12 * 18


def test_nothing_to_draw_covers_nothing():
    points, _ = scene(0)
    empty = rasterise(points, np.zeros((0, 3), np.int32), SIZE)
    outside = rasterise(points + np.float32([99, 0, 0]), np.int32([[0, 1, 2]]), SIZE)
    for samples in (empty, outside):
        assert isinstance(samples, Samples)
        assert len(samples.places) == len(samples.triangles) == 0
