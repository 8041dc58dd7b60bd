from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from pipeline.world import meshes, solids
from pipeline.world.finishes import Finish
from pipeline.world.surfaces import Mesh
from tests.world.geometry import face_normals, volume

GREY = Finish((0.2, 0.2, 0.2))
RED = Finish((0.5, 0.02, 0.02), 0.4)
SQUARE = ((-1, -1), (1, -1), (1, 1), (-1, 1))


def open_edges(mesh: Mesh) -> int:
    """Count the edges without exactly one opposite edge."""
    points = np.round(mesh.vertices * 1e5).astype(np.int64)
    rows = np.unique(points, axis=0, return_inverse=True)[1].ravel()[mesh.triangles]
    count = Counter(map(tuple, rows[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2).tolist()))
    return sum(number != 1 or count[b, a] != 1 for (a, b), number in count.items())


def lathed() -> Mesh:
    return solids.lathe([(0.2, 0), (0.3, 0.5), (0.1, 0.7)], [GREY, RED], [0, 1], sides=24)


SOLIDS = {
    "box": (lambda: solids.box((1, 2, 3), (5, 5, 5), GREY), 6.0),
    "round box": (lambda: solids.box((1, 2, 3), (0, 1, 0), GREY, bevel=0.05), 5.95),
    "tube": (lambda: solids.tube([(0, 0, 0), (0, 2, 0)], 0.5, GREY, 32), math.pi * 0.5),
    "bent tube": (
        lambda: solids.tube([(0, 0, 0), (2, 0, 0), (4, 0, 1), (6, 1, 1)], 0.1, GREY, 24),
        (2 + 5**0.5 + 5**0.5) * math.pi * 0.01,
    ),
    "cone": (lambda: solids.tube([(0, 0, 0), (0, 0, 3)], [1, 0], GREY, 32), math.pi),
    "torus": (lambda: solids.torus(1, 0.1, (3, 1, 0), GREY, 48, 16), 2 * math.pi**2 * 0.01),
    "lathe": (lathed, math.pi * (0.5 * 0.19 / 3 + 0.2 * 0.13 / 3)),
    "ellipsoid": (lambda: solids.ellipsoid((1, 2, 3), (0, 0, 9), GREY, 16, 32), 8 * math.pi),
    "superellipsoid": (
        lambda: solids.ellipsoid((1, 2, 3), (0, 0, 0), GREY, 16, 32, squareness=1),
        8 * 6 * 0.98,
    ),
    "plate": (lambda: solids.plate(SQUARE, 0.1, GREY), 0.4),
    "round plate": (lambda: solids.plate(SQUARE, 0.1, GREY, bevel=0.01), 0.399),
}


@pytest.mark.parametrize("name", SOLIDS)
def test_solid_is_closed_and_has_its_volume(name: str):
    make, expected = SOLIDS[name]
    mesh = make()
    assert volume(mesh) == pytest.approx(expected, rel=0.05)
    assert open_edges(mesh) == 0


@pytest.mark.parametrize("name", SOLIDS)
def test_normals_have_unit_length_and_agree_with_the_triangles(name: str):
    mesh = SOLIDS[name][0]()
    assert np.allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
    faces = face_normals(mesh)
    agreement = (mesh.normals[mesh.triangles] * faces[:, None]).sum(2)
    assert (agreement > 0.2 * np.linalg.norm(faces, axis=1)[:, None]).all()
    assert len(mesh.two_sided) == len(mesh.parts) == len(mesh.triangles)


def test_vertices_are_split_at_sharp_edges_only():
    sharp = solids.box((1, 1, 1), (0, 0, 0), GREY)
    assert (len(sharp.vertices), len(sharp.triangles)) == (24, 12)
    ball = solids.ellipsoid((1, 1, 1), (0, 0, 0), GREY, rings=8, sides=16)
    assert len(ball.vertices) == 7 * 16 + 2
    assert np.allclose(ball.normals, ball.vertices, atol=0.1)


def test_each_face_has_its_finish():
    mesh = lathed()
    upper = mesh.vertices[mesh.triangles].mean(1)[:, 1] > 0.5
    colours = mesh.colours[mesh.triangles]
    assert np.allclose(colours[upper], RED.colour)
    assert np.allclose(colours[~upper], GREY.colour)
    assert np.allclose(mesh.gloss[mesh.triangles[upper]], RED.gloss)


def test_mirrored_triangles_face_outwards():
    mesh = meshes.mirrored(solids.tube([(0, 0, 1), (1, 2, 3)], [0.3, 0.2], GREY))
    assert volume(mesh) > 0
    faces = face_normals(mesh)
    assert ((mesh.normals[mesh.triangles] * faces[:, None]).sum(2) > 0).all()
    assert mesh.vertices[:, 2].max() < 0


def test_rotation_follows_the_right_hand_rule():
    mesh = solids.patch((0, 0, 0), (1, 0, 0), (0, 1, 0), GREY)
    assert np.allclose(mesh.normals, (0, 0, 1))
    turned = meshes.transformed(mesh, meshes.rotation(1, 90), (0, 0, 5))
    assert np.allclose(turned.normals, (1, 0, 0), atol=1e-6)
    assert np.allclose(turned.vertices[:, 2].min(), 4)


def test_normals_of_a_scaled_mesh_are_orthogonal_to_it():
    ball = solids.ellipsoid((1, 1, 1), (0, 0, 0), GREY, rings=32, sides=64)
    stretched = meshes.transformed(ball, np.diag([1.0, 2.0, 3.0]))
    gradient = stretched.vertices / np.array([1, 4, 9])
    expected = gradient / np.linalg.norm(gradient, axis=1, keepdims=True)
    assert np.allclose(stretched.normals, expected, atol=0.02)


def test_sheet_is_two_sided():
    rows = [[(x, 0, z) for x in (0, 1, 2)] for z in (0, 1)]
    sheet = solids.loft(rows, [GREY, RED], finish_ids=[[0, 1]], open_ring=True)
    assert sheet.two_sided.all()
    assert len(sheet.triangles) == 4
    assert len(np.unique(sheet.colours, axis=0)) == 2


def test_rods_equal_tubes_without_caps():
    segments = [((0, 0, 0), (0, 2, 0)), ((1, 0, 3), (2, 1, 0.5))]
    both = solids.rods(segments, [(0.1, 0.1), (0.2, 0.05)], RED, sides=8)
    first = solids.tube(segments[0], 0.1, RED, sides=8, capped=False)
    second = solids.tube(segments[1], [0.2, 0.05], RED, sides=8, capped=False)
    assert len(both.triangles) == len(first.triangles) + len(second.triangles)
    assert volume(both) == pytest.approx(volume(first) + volume(second), rel=0.02)
    agreement = (both.normals[both.triangles] * face_normals(both)[:, None]).sum(2)
    assert (agreement > 0).all()
    corners = both.vertices[both.triangles[:16]].reshape(-1, 3)
    assert corners.max(0) == pytest.approx(first.vertices.max(0), abs=1e-6)


def test_join_keeps_all_triangles():
    first, second = lathed(), solids.box((1, 1, 1), (0, 0, 0), GREY)
    both = meshes.join(first, second)
    count = len(first.triangles)
    assert len(both.triangles) == count + len(second.triangles)
    assert np.array_equal(both.vertices[both.triangles[:count]], first.vertices[first.triangles])
    assert np.array_equal(both.vertices[both.triangles[count:]], second.vertices[second.triangles])
