import numpy as np

from pipeline.world.decimate import decimate
from pipeline.world.meshes import quads


def sphere(rows: int = 24, columns: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and triangles of a closed unit sphere."""
    polar = np.linspace(0, np.pi, rows + 2)[1:-1, None]
    turn = 2 * np.pi * np.arange(columns) / columns
    ring = np.stack(
        [np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar) + 0 * turn], 2
    )
    vertices = np.concatenate([ring.reshape(-1, 3), [[0, 0, 1], [0, 0, -1]]])
    triangles = [quads(rows, columns, closed=True)]
    first, last = np.arange(columns), np.arange(columns) + (rows - 1) * columns
    for ends, pole in ((first[::-1], rows * columns), (last, rows * columns + 1)):
        triangles.append(np.stack([ends, np.roll(ends, -1), np.full(columns, pole)], 1))
    return vertices, np.concatenate(triangles)


def volume(vertices: np.ndarray, triangles: np.ndarray) -> float:
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    return float(np.abs((a * np.cross(b, c)).sum() / 6))


def edges(triangles: np.ndarray) -> list[tuple[int, int]]:
    return [(a, b) for t in triangles.tolist() for a, b in zip(t, t[1:] + t[:1], strict=True)]


def test_a_sphere_keeps_its_shape_with_a_quarter_of_the_triangles():
    vertices, triangles = sphere()
    fewer = decimate(vertices, triangles, np.ones(len(vertices)), 400)
    assert 390 <= len(fewer) <= 400
    assert abs(volume(vertices, fewer) / volume(vertices, triangles) - 1) < 0.03
    assert set(fewer.ravel()) <= set(triangles.ravel())
    directed = edges(fewer)
    assert len(set(directed)) == len(directed)
    assert {(b, a) for a, b in directed} == set(directed)  # closed


def test_a_flat_square_becomes_few_triangles_and_keeps_its_border():
    y, x = np.mgrid[0:9, 0:9]
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(81)], 1).astype(float)
    fewer = decimate(vertices, quads(9, 9), np.ones(81), 2)
    assert len(fewer) <= 6
    a, b, c = (vertices[fewer[:, corner], :2] for corner in range(3))
    (x1, y1), (x2, y2) = (b - a).T, (c - a).T
    np.testing.assert_allclose((x1 * y2 - x2 * y1).sum() / 2, 64)


def test_more_triangles_stay_where_more_detail_is_asked_for():
    vertices, triangles = sphere()
    detail = np.where(vertices[:, 2] > 0, 6.0, 1.0)
    fewer = decimate(vertices, triangles, detail, 300)
    upper = (vertices[fewer].mean(1)[:, 2] > 0).sum()
    assert upper > 1.5 * (len(fewer) - upper)
