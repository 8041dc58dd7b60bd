"""Measures of meshes for tests."""

from __future__ import annotations

import numpy as np

from pipeline.world.surfaces import Mesh


def face_normals(mesh: Mesh) -> np.ndarray:
    """Return (T, 3) normals; their length is twice the area."""
    a, b, c = mesh.vertices.astype(np.float64)[mesh.triangles.T]
    return np.cross(b - a, c - a)


def volume(mesh: Mesh) -> float:
    """Return the enclosed volume; positive if the triangles face outwards."""
    return float((mesh.vertices[mesh.triangles[:, 0]] * face_normals(mesh)).sum() / 6)
