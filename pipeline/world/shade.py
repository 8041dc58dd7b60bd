"""Shade maps: the fraction of sun and sky that reaches each point of a place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.world.flats import Flat
from pipeline.world.light import box_blur
from pipeline.world.meshes import join
from pipeline.world.raster import rasterise
from pipeline.world.surfaces import Mesh

_SIDE = 512  # texels of a shade map
_EXTENT = 36.0  # metres that it covers
_ORIGIN = (-18.0, -36.0)  # x and z of its first texel


class Shade:
    """Fraction of sun and sky that reaches the ground past trees, buildings and props."""

    def __init__(
        self, sun: np.ndarray, direction: np.ndarray, props: Sequence[Mesh], flats: Sequence[Flat]
    ) -> None:
        """`sun` (512, 512) is the fraction that trees and buildings let through.

        Rows run along z, columns along x; `direction` (3,) points towards the sun.
        """
        low = max(float(direction[1]), 0.1)
        slope = (float(direction[0]) / low, float(direction[2]) / low)
        shadow, covered = _outlines(props, slope), _outlines(props, (0.0, 0.0))
        sky = 1 - np.float32(0.8) * box_blur(box_blur(covered, 3), 3)
        x, z = shade_grid()
        for flat in flats:
            sky = sky * (1 - flat.foot_shade(x, z))
        self._slope, self._sun, self._sky = slope, _bytes(sun), _bytes(sky)
        self._behind = _bytes(sun * (1 - box_blur(shadow, 1)))

    def lit(self, points: np.ndarray) -> np.ndarray:
        """Return the fraction (P,) float32 of the sun on people and props at `points` (P, 3)."""
        return _bilinear(self._sun, *_texels(points, self._slope))

    def lit_behind(self, points: np.ndarray) -> np.ndarray:
        """Return the same on ground and walls, where the props cast shadows too."""
        return _bilinear(self._behind, *_texels(points, self._slope))

    def open_sky(self, points: np.ndarray) -> np.ndarray:
        """Return the fraction (P,) float32 of the sky at `points` (P, 3) of the ground."""
        return _bilinear(self._sky, *_texels(points, (0.0, 0.0)))


def shade_grid() -> tuple[np.ndarray, np.ndarray]:
    """Return x (1, 512) and z (512, 1) in metres of the texels of a shade map."""
    steps = (np.arange(_SIDE, dtype=np.float32) + np.float32(0.5)) * np.float32(_EXTENT / _SIDE)
    return steps[None] + np.float32(_ORIGIN[0]), steps[:, None] + np.float32(_ORIGIN[1])


def _outlines(meshes: Sequence[Mesh], slope: tuple[float, float]) -> np.ndarray:
    """Return (512, 512) float32: 1 where the meshes, projected along a slope, cover the ground."""
    outline = np.zeros(_SIDE * _SIDE, np.float32)
    if meshes:
        mesh = join(*meshes)
        points = np.stack([*_texels(mesh.vertices, slope), np.ones(len(mesh.vertices))], 1)
        found = rasterise(points.astype(np.float32), mesh.triangles, (_SIDE, _SIDE))
        outline[found.places] = 1
    return outline.reshape(_SIDE, _SIDE)


def _texels(points: np.ndarray, slope: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Project `points` (P, 3) to the ground along a slope; return columns and rows (P,)."""
    scale = np.float32(_SIDE / _EXTENT)
    x = points[:, 0] - points[:, 1] * np.float32(slope[0]) - np.float32(_ORIGIN[0])
    z = points[:, 2] - points[:, 1] * np.float32(slope[1]) - np.float32(_ORIGIN[1])
    return x * scale, z * scale


def _bytes(image: np.ndarray) -> np.ndarray:
    """Convert values 0 to 1 to uint8."""
    return (image * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def _bilinear(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sample `image` (512, 512) uint8 bilinearly at `x` and `y`; return (P,) float32, 0 to 1."""
    x = np.clip(x - np.float32(0.5), 0, np.float32(_SIDE - 1.001))
    y = np.clip(y - np.float32(0.5), 0, np.float32(_SIDE - 1.001))
    left, top = np.floor(x), np.floor(y)
    x, y = x - left, y - top
    left, top = left.astype(np.int32), top.astype(np.int32)
    flat, at = image.ravel(), top * np.int32(_SIDE) + left
    corners = [flat[at + step].astype(np.float32) for step in (0, 1, _SIDE, _SIDE + 1)]
    upper = corners[0] + (corners[1] - corners[0]) * x
    lower = corners[2] + (corners[3] - corners[2]) * x
    return (upper + (lower - upper) * y) * np.float32(1 / 255)
