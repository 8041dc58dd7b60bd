"""Measures of meshes for tests."""

from __future__ import annotations

import numpy as np

from pipeline.world.surfaces import Mesh


def corners(mesh: Mesh) -> np.ndarray:
    """Return the three corners of each triangle, (3, T, 3)."""
    return np.moveaxis(mesh.vertices[mesh.triangles].astype(np.float64), 1, 0)


def face_normals(mesh: Mesh) -> np.ndarray:
    """Return (T, 3) normals; their length is twice the area."""
    a, b, c = corners(mesh)
    return np.cross(b - a, c - a)


def volume(mesh: Mesh) -> float:
    """Return the enclosed volume; positive if the triangles face outwards."""
    a, b, c = corners(mesh)
    return float((a * np.cross(b, c)).sum() / 6)
