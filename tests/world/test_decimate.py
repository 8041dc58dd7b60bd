import numpy as np
from scipy.spatial import ConvexHull

from pipeline.world.decimate import decimate
from pipeline.world.meshes import face_normals, quads


def sphere(count: int = 770) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` vertices and the triangles of a closed unit sphere."""
    directions = np.random.default_rng(0).normal(size=(count, 3))
    vertices = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    triangles = ConvexHull(vertices).simplices
    inwards = (face_normals(vertices, triangles) * vertices[triangles[:, 0]]).sum(1) < 0
    return vertices, np.where(inwards[:, None], triangles[:, ::-1], triangles)


def volume(vertices: np.ndarray, triangles: np.ndarray) -> float:
    return float((vertices[triangles[:, 0]] * face_normals(vertices, triangles)).sum() / 6)


def edges(triangles: np.ndarray) -> list[tuple[int, int]]:
    return [(a, b) for t in triangles.tolist() for a, b in zip(t, t[1:] + t[:1], strict=True)]


def test_decimated_sphere_keeps_its_volume_and_is_closed():
    vertices, triangles = sphere()
    fewer = decimate(vertices, triangles, np.ones(len(vertices)), 400)
    assert 390 <= len(fewer) <= 400
    assert abs(volume(vertices, fewer) / volume(vertices, triangles) - 1) < 0.03
    assert set(fewer.ravel()) <= set(triangles.ravel())
    directed = edges(fewer)
    assert len(set(directed)) == len(directed)
    assert {(b, a) for a, b in directed} == set(directed)  # closed


def test_decimated_square_keeps_its_border():
    y, x = np.mgrid[0:9, 0:9]
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(81)], 1).astype(float)
    fewer = decimate(vertices, quads(9, 9), np.ones(81), 2)
    assert len(fewer) <= 6
    area = face_normals(vertices, fewer)[:, 2].sum() / 2
    np.testing.assert_allclose(area, 64)


def test_more_triangles_remain_where_detail_is_higher():
    vertices, triangles = sphere()
    detail = np.where(vertices[:, 2] > 0, 6.0, 1.0)
    fewer = decimate(vertices, triangles, detail, 300)
    upper = (vertices[fewer].mean(1)[:, 2] > 0).sum()
    assert upper > 1.5 * (len(fewer) - upper)
