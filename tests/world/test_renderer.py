"""Visibility, shadows and colours of simple scenes whose picture is known."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.world.geometry import Geometry
from pipeline.world.light import Light
from pipeline.world.renderer import BACKDROP, Ground, shade
from pipeline.world.surfaces import PART, Mesh
from pipeline.world.view import Framing, View

SIZE = (64, 32)
EYE = np.float32([0, 2, 0])
OVERCAST = Light(
    np.float32([0, 1, 0]), np.zeros(3, np.float32), np.ones(3, np.float32), np.ones(3, np.float32)
)


class Floor:
    """A grey floor that goes on for ever."""

    def meet(self, rays):
        down = np.minimum(rays.directions[:, 1], np.float32(-1e-3))
        points = rays.eye + rays.directions * (-rays.eye[1] / down)[:, None]
        up = np.broadcast_to(np.float32([0, 1, 0]), points.shape)
        return Ground(points, np.full(points.shape, 0.5, np.float32), up, 1.0)

    def lit(self, points):
        return 1.0


def board(x, z, width, height, colour=(1, 0, 0), part="obstacle"):
    """An upright rectangle that faces the camera and stands on the ground."""
    half = width / 2
    corners = [[x - half, 0, z], [x + half, 0, z], [x + half, height, z], [x - half, height, z]]
    return Mesh(
        np.float32(corners),
        np.tile(np.float32([0, 0, 1]), (4, 1)),
        np.int32([[0, 1, 2], [0, 2, 3]]),
        np.tile(np.float32(colour), (4, 1)),
        np.zeros(2, bool),
        np.full(2, PART[part], np.uint8),
        np.zeros(4, np.float32),
        grain=0,
    )


def view_of(mesh, size=SIZE):
    return View.around(mesh.vertices, EYE, size, Framing(0.8))


def colours(surfaces, light=OVERCAST, casts=None):
    geometry = Geometry(view_of(surfaces[0]), surfaces)
    casts = casts or [True] * len(surfaces)
    return shade(geometry, Floor(), light, np.float32([0, 0, -8]), casts)


def test_the_nearer_of_two_boards_hides_the_part_that_geometry_says():
    far, near = board(0, -8, 1, 2), board(0, -6, 1, 0.8, (0, 1, 0))
    geometry = Geometry(view_of(far), [far, near])
    top = 2 - (2 - 0.8) * 8 / 6  # of the near board, seen against the far one
    assert geometry.visible_fraction(0) == pytest.approx(1 - top / 2, abs=0.02)
    assert geometry.visible_fraction(1) == 1


def test_what_is_not_in_the_crop_has_no_visible_fraction():
    far = board(0, -8, 1, 2)
    aside = board(50, -8, 1, 2)
    geometry = Geometry(view_of(far), [far, aside])
    assert geometry.visible_fraction(0) == 1
    assert geometry.visible_fraction(1) == 0
    assert geometry.fraction_of_crop(1) == 0


def test_labels_and_colours_agree():
    far, near = board(0, -8, 1, 2, part="top"), board(0, -6, 1, 0.8, (0, 1, 0))
    frame = colours([far, near])
    red, green, blue = np.moveaxis(frame.radiance, 2, 0)
    inside = {item: _interior(frame.items == item) for item in (0, 1, BACKDROP)}
    assert all(mask.any() for mask in inside.values())
    assert (green[inside[0]] == 0).all()
    assert (red[inside[0]] > 0.5).all()
    assert (red[inside[1]] == 0).all()
    assert (green[inside[1]] > 0.5).all()
    assert (blue[inside[BACKDROP]] > 0.05).all()
    assert (frame.parts[frame.items == 0] == PART["top"]).all()
    assert (frame.parts[frame.items == BACKDROP] == 0).all()


def _interior(mask):
    """Without the pixels at its edge, which are mixed."""
    padded = np.pad(mask, 1)
    shifts = [padded[1 + y : 65 + y, 1 + x : 33 + x] for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return np.logical_and.reduce(shifts)


def test_a_pixel_at_an_edge_is_mixed_by_the_area_that_each_side_covers():
    frame = colours([board(0, -8, 1, 2)])
    red, blue = frame.radiance[32, :, 0], frame.radiance[32, :, 2]  # grey has half of either
    np.testing.assert_allclose(red, 1 - blue, atol=1e-5)
    row = frame.radiance[32, :, 2] / blue.max()
    assert row.sum() == pytest.approx((SIZE[1] - view_of(board(0, -8, 1, 2)).scale / 8), abs=1.2)


def test_the_sun_casts_the_shadow_of_what_stands_in_its_way():
    low = np.float32([0, 1, -1]) / np.float32(np.sqrt(2))  # behind the board: its shadow comes near
    light = Light(low, np.ones(3, np.float32), np.full(3, 0.1, np.float32), np.zeros(3, np.float32))
    wall = board(0, -8, 1, 2)
    with_shadow, without = colours([wall], light), colours([wall], light, [False])
    darker = with_shadow.radiance[..., 2] < 0.6 * without.radiance[..., 2]
    rows, columns = np.nonzero(darker)
    assert len(rows) > 20
    ends = np.nonzero(with_shadow.items == 0)[0].max()
    assert rows.min() >= ends  # on the ground before the board alone
    middle = (columns.min() + columns.max()) / 2
    assert middle == pytest.approx(SIZE[1] / 2, abs=2)


SUN = Light(
    np.float32([0, 0.6, 0.8]),
    np.ones(3, np.float32),
    np.zeros(3, np.float32),
    np.zeros(3, np.float32),
)


def test_light_falls_off_with_the_angle():
    frame = colours([board(0, -8, 1, 2)], SUN, [False])
    assert frame.radiance[32, 16, 0] == pytest.approx(0.8, abs=0.02)


def test_a_two_sided_thing_is_lit_on_the_side_that_is_seen():
    turned = board(0, -8, 1, 2).placed(np.pi, 0, -16)  # its front faces away from the camera
    assert (colours([turned], SUN, [False]).items == BACKDROP).all()
    both = replace(turned, two_sided=np.ones(2, bool))
    assert colours([both], SUN, [False]).radiance[32, 16, 0] == pytest.approx(0.8, abs=0.02)


def test_gloss_adds_the_mirrored_sun():
    flat = board(0, -8, 1, 2)
    halfway = Light(np.float32([0, 0, 1]), *[np.ones(3, np.float32)] * 3)
    dull, glossy = (
        colours([replace(flat, gloss=np.full(4, gloss, np.float32))], halfway, [False])
        for gloss in (0, 1)
    )
    assert glossy.radiance[32, 16, 2] > dull.radiance[32, 16, 2] + 0.1  # blue: the board has none


def test_a_crease_between_near_surfaces_is_dark():
    wall, edge = board(0, -8, 2, 2), board(-0.6, -7.85, 0.6, 2)
    alone, together = colours([wall]), colours([wall, edge])
    assert (together.items[32] == 1).any()
    first = np.flatnonzero(together.items[32] == 0)[1]  # of the wall, beside the nearer board
    assert together.radiance[32, first, 0] < 0.95 * alone.radiance[32, first, 0]
    assert together.radiance[32, 20, 0] == pytest.approx(alone.radiance[32, 20, 0], rel=0.02)


def test_a_larger_crop_shows_the_same():
    far, near = board(0, -8, 1, 2), board(0.3, -6, 0.4, 0.8, (0, 1, 0))
    view = view_of(far)
    large = Geometry(view.resized((128, 64)), [far, near])
    small = Geometry(view, [far, near])
    assert large.visible_fraction(0) == pytest.approx(small.visible_fraction(0), abs=0.02)
    assert large.fraction_of_crop(1) == pytest.approx(small.fraction_of_crop(1), abs=0.01)


def test_bounds_hold_the_projected_corners_of_every_box():
    points = np.random.default_rng(0).uniform([-4, 0, -9], [4, 3, 1], (40, 5, 3)).astype(np.float32)
    view = view_of(board(0, -8, 1, 2))
    low, high = view.bounds(np.stack([points.min(1), points.max(1)], 1))
    for box, lowest, highest in zip(points, low, high, strict=True):
        assert (view.project(box) >= lowest - 1e-3).all()
        assert (view.project(box) <= highest + 1e-3).all()
    assert np.isinf(high[:, 0]).any()
    assert np.isfinite(high[:, 0]).any()


def test_a_sphere_in_part_of_the_crop_is_shown():
    view = view_of(board(0, -8, 1, 2))
    boxes = [board(x, z, 1, 1).box for x, z in ((0, -8), (1.2, -8), (5, -8), (0, 3), (0, -0.5))]
    assert view.shows(np.stack(boxes)).tolist() == [True, True, False, False, True]


def test_a_surface_outside_of_the_crop_changes_only_the_numbers_of_the_others():
    shown, aside, nearer = board(0, -8, 1, 2), board(30, -8, 1, 2), board(0.3, -7, 1, 1)
    with_aside = Geometry(view_of(shown), [shown, aside, nearer])
    without = Geometry(view_of(shown), [shown, nearer])
    assert np.array_equal(with_aside.samples.places, without.samples.places)
    assert np.array_equal(with_aside.owner, without.owner * 2)
    assert np.array_equal(with_aside.rows, without.rows)
    every = np.arange(len(without.rows))
    assert np.array_equal(with_aside.weights(every), without.weights(every))
