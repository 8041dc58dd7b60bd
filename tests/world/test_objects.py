from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from pipeline.world import carried
from pipeline.world.cycles import ridden_bicycle
from pipeline.world.finishes import finish
from pipeline.world.meshes import join
from pipeline.world.objects import HEADROOM, KINDS, Spot, footprint, overlap
from pipeline.world.solids import box
from pipeline.world.surfaces import PART, Mesh
from tests.world.geometry import face_normals, volume

Maker = Callable[[np.random.Generator], carried.Carried]

MAX_TRIANGLES = 3000
SEEDS = range(4)
SIZES = {
    "car": ((3.7, 5.2), (1.35, 1.85)),
    "van": ((4.7, 5.6), (1.8, 2.2)),
    "bicycle": ((1.5, 1.9), (0.95, 1.25)),
    "scooter": ((1.5, 1.9), (1.1, 1.4)),
    "stroller": ((0.8, 1.1), (0.95, 1.15)),
    "trolley": ((0.9, 1.2), (0.95, 1.1)),
    "sign_post": ((0.05, 0.9), (2.2, 3.0)),
    "lamp_post": ((0.2, 0.45), (3.3, 5.6)),
    "barrier": ((1.4, 2.5), (0.75, 1.3)),
    "low_wall": ((1.8, 2.9), (0.5, 1.1)),
    "bench": ((1.3, 2.0), (0.4, 0.95)),
    "table": ((1.0, 2.0), (0.72, 0.95)),
    "parasol": ((0.4, 3.1), (2.4, 2.9)),
    "crate": ((0.55, 1.2), (0.35, 1.35)),
    "cabinet": ((0.65, 1.4), (0.85, 1.45)),
    "hydrant": ((0.25, 0.5), (0.7, 0.85)),
    "newspaper_box": ((0.4, 1.0), (0.95, 1.3)),
    "post_box": ((0.4, 0.6), (1.1, 1.6)),
    "vending": ((0.75, 1.1), (1.7, 1.95)),
    "bin": ((0.4, 1.0), (0.7, 1.4)),
    "sign_board": ((0.5, 1.0), (0.75, 1.8)),
    "railing": ((1.9, 3.4), (0.85, 1.25)),
    "boxes": ((0.4, 1.6), (0.25, 1.6)),
    "pillar": ((0.2, 0.8), (2.9, 3.5)),
    "bollard": ((0.1, 0.35), (0.7, 1.2)),
    "cone": ((0.2, 0.7), (0.4, 0.95)),
    "plant": ((0.4, 1.3), (0.6, 1.9)),
    "planter": ((0.9, 2.5), (0.6, 1.5)),
    "bush": ((0.6, 2.2), (0.5, 1.6)),
    "hedge": ((1.3, 2.6), (0.65, 1.4)),
    "bare_bush": ((0.8, 2.4), (0.8, 1.9)),
    "tree": ((0.3, 2.5), (5.3, 9)),
}
"""Metres: bounds of the longer side of each kind's footprint, and of its height."""
CARRIED = (
    *(carried.briefcase, carried.guitar_case, carried.hand_bag, carried.open_umbrella),
    *(carried.parcel, carried.phone, carried.skateboard, carried.suitcase),
)


@cache
def variants(kind: str) -> list[Mesh]:
    return [KINDS[kind].make(np.random.default_rng(seed)) for seed in SEEDS]


def test_every_kind_has_its_bounds_and_says_what_it_hides():
    assert set(KINDS) == set(SIZES)


@pytest.mark.parametrize("kind", KINDS)
def test_it_stands_on_the_ground_about_the_origin(kind: str):
    for mesh in variants(kind):
        assert mesh.vertices[:, 1].min() == pytest.approx(0, abs=1e-6)
        low = mesh.vertices[mesh.vertices[:, 1] < HEADROOM]
        assert np.allclose((low.min(0) + low.max(0))[[0, 2]], 0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_it_has_the_size_of_a_real_one(kind: str):
    (shortest, longest), (lowest, highest) = SIZES[kind]
    for mesh in variants(kind):
        half_x, half_z = footprint(mesh)
        assert shortest <= 2 * max(half_x, half_z) <= longest
        assert lowest <= mesh.vertices[:, 1].max() <= highest


@pytest.mark.parametrize("kind", KINDS)
def test_its_arrays_are_those_of_a_small_surface(kind: str):
    for mesh in variants(kind):
        count = len(mesh.vertices)
        assert len(mesh.triangles) <= MAX_TRIANGLES
        assert mesh.vertices.dtype == mesh.normals.dtype == mesh.colours.dtype == np.float32
        assert mesh.normals.shape == mesh.colours.shape == (count, 3)
        assert mesh.gloss.shape == (count,)
        assert np.isfinite(mesh.vertices).all()
        assert np.allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-4)
        assert mesh.colours.min() > 0
        assert mesh.colours.max() < 1
        assert (mesh.parts == PART["obstacle"]).all()
        assert mesh.triangles.min() == 0
        assert mesh.triangles.max() == count - 1


@pytest.mark.parametrize("kind", KINDS)
def test_normals_point_where_the_triangles_face(kind: str):
    for mesh in variants(kind):
        agreement = (mesh.normals[mesh.triangles] * face_normals(mesh)[:, None]).sum(2)
        assert (agreement > 0).mean() > 0.995


def parts(mesh: Mesh) -> list[Mesh]:
    """Split the one-sided triangles into connected parts, each about its own centre."""
    triangles = mesh.triangles[~mesh.two_sided]
    points = np.round(mesh.vertices * 1e5).astype(np.int64)
    rows = np.unique(points, axis=0, return_inverse=True)[1].ravel()[triangles]
    edges = np.concatenate([rows[:, :2], rows[:, 1:]])
    links = coo_matrix((np.ones(len(edges), bool), edges.T), shape=(rows.max() + 1,) * 2)
    part = connected_components(links, directed=False)[1][rows[:, 0]]
    found = []
    for number in np.unique(part):
        own = triangles[part == number]
        centre = mesh.vertices[own].reshape(-1, 3).mean(0)
        found.append(replace(mesh, vertices=mesh.vertices - centre, triangles=own))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_each_closed_part_faces_outwards(kind: str):
    for mesh in variants(kind):
        assert min(volume(part) for part in parts(mesh)) > -1e-7  # flat ones have none


@pytest.mark.parametrize("make", CARRIED)
def test_a_carried_thing_stands_on_the_ground_and_its_grip_is_near(make: Maker):
    labels = {PART["bag"]}, {PART["carried"]}
    for seed in SEEDS:
        mesh, grip = make(np.random.default_rng(seed))
        low, high = mesh.vertices.min(0), mesh.vertices.max(0)
        assert low[1] == pytest.approx(0, abs=1e-6)
        assert np.allclose((low + high)[[0, 2]], 0, atol=1e-5)
        assert high.max() < 1.4
        assert (grip > low - 0.05).all()
        assert (grip < high + 0.05).all()
        assert set(np.unique(mesh.parts).tolist()) in labels
        assert len(mesh.triangles) < 1000


def test_a_rider_finds_saddle_grips_and_pedals():
    for seed in SEEDS:
        mesh, saddle, grips, pedals = ridden_bicycle(np.random.default_rng(seed))
        low, high = mesh.vertices.min(0), mesh.vertices.max(0)
        assert low[1] == pytest.approx(0, abs=5e-3)
        assert high[2] - low[2] == pytest.approx(1.75, abs=0.15)  # its front is towards +z
        assert (mesh.parts == PART["vehicle"]).all()
        for point in (saddle, *grips, *pedals):
            distance = np.linalg.norm(mesh.vertices - point, axis=1).min()
            assert distance < 0.12
        assert grips[0, 0] > 0 > grips[1, 0]
        assert pedals[0, 0] > 0 > pedals[1, 0]
        assert grips[:, 2].min() > saddle[2]


@pytest.mark.parametrize("make", [*(kind.build for kind in KINDS.values()), *CARRIED])
def test_a_mesh_depends_on_its_generator_alone(make: Callable):
    made = [make(np.random.default_rng(seed)) for seed in (3, 3, 4)]
    first, again, other = (m.mesh if isinstance(m, carried.Carried) else m for m in made)
    for field in fields(Mesh):
        one, two = getattr(first, field.name), getattr(again, field.name)
        assert np.asarray(one).tobytes() == np.asarray(two).tobytes()
    assert first.colours.tobytes() != other.colours.tobytes()


def test_parts_above_the_headroom_take_no_ground():
    low, high = ((0.4, 1, 0.2), (0, 0.5, 0)), ((3, 1, 3), (0, HEADROOM + 0.6, 0))
    mesh = join(*(box(size, centre, finish("#808080")) for size, centre in (low, high)))
    assert footprint(mesh) == pytest.approx((0.2, 0.1))


def points_of(spot: Spot, steps: int = 41) -> np.ndarray:
    """Return (N, 2) points in x and z that fill a rectangle, with its border."""
    c, s = math.cos(spot.yaw), math.sin(spot.yaw)
    sides = (np.linspace(-half, half, steps) for half in (spot.half_x, spot.half_z))
    a, b = (grid.ravel() for grid in np.meshgrid(*sides))
    return np.stack([spot.x + a * c + b * s, spot.z - a * s + b * c], 1)


def inside(points: np.ndarray, spot: Spot, slack: float) -> np.ndarray:
    """Return (N,) bool: which points lie in a rectangle that is larger by `slack`."""
    c, s = math.cos(spot.yaw), math.sin(spot.yaw)
    x, z = (points - (spot.x, spot.z)).T
    across, along = np.abs(x * c - z * s), np.abs(x * s + z * c)
    return (across < spot.half_x + slack) & (along < spot.half_z + slack)


def random_spot(rng: np.random.Generator) -> Spot:
    x, z = rng.uniform(-2, 2, 2)
    half_x, half_z = rng.uniform(0.1, 2, 2)
    return Spot(x, z, rng.uniform(-4, 4), half_x, half_z)


def test_overlap_agrees_with_points_of_the_rectangles():
    rng = np.random.default_rng(0)
    found = set()
    for _ in range(150):
        one, other = random_spot(rng), random_spot(rng)
        surely, perhaps = (
            inside(points_of(one), other, slack).any() or inside(points_of(other), one, slack).any()
            for slack in (-1e-6, 0.1)
        )
        answer = overlap(one, other)
        assert answer == overlap(other, one)
        assert surely <= answer <= perhaps
        found.add(answer)
    assert found == {True, False}


def test_a_gap_keeps_things_apart():
    one, other = Spot(0, 0, 0.3, 1, 1), Spot(2.5, 0, 0.3, 1, 1)
    assert not overlap(one, other)
    assert overlap(one, other, gap=1.0)


def test_a_spot_is_where_the_placed_mesh_is():
    mesh = KINDS["car"].make(np.random.default_rng(1))
    spot = Spot(3.0, -2.0, 0.7, *footprint(mesh))
    placed = mesh.placed(spot.yaw, spot.x, spot.z)
    points = placed.vertices[:, [0, 2]]
    assert inside(points, spot, 1e-4).all()
    assert not inside(points, spot._replace(half_x=spot.half_x - 0.01), 0).all()
