"""Sun, sky and shadows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter

from pipeline.world.raster import rasterise
from pipeline.world.surfaces import dot, rotated

_SIDE = 160  # texels of a shadow map
_REACH = 3.6  # metres from its centre to its border
_BIAS = 0.05  # metres: a surface does not shade itself
_CONTACT = 0.35  # metres above the ground up to which things darken it


@dataclass(frozen=True)
class Light:
    """The light of a place, as linear colours (3,) float32."""

    direction: np.ndarray
    """(3,) float32, of length 1, towards the sun."""
    sun: np.ndarray
    """Light on a surface that faces the sun; 0 under clouds."""
    sky: np.ndarray
    """Light on a surface that faces up."""
    bounce: np.ndarray
    """Light on a surface that faces down."""

    def on(
        self, normals: np.ndarray, lit: np.ndarray | float, open_sky: np.ndarray | float
    ) -> np.ndarray:
        """Return the light (P, 3) on surfaces of `normals` (P, 3) of length 1.

        `lit` (P,) is the fraction of the sun that reaches them, `open_sky` (P,) that of the sky.
        """
        up = (0.5 + 0.5 * normals[:, 1]).astype(np.float32)
        ambient = np.multiply.outer(self.sky, up) + np.multiply.outer(self.bounce, 1 - up)
        facing = np.maximum(dot(normals, self.direction), 0) * lit
        return (ambient * np.asarray(open_sky) + np.multiply.outer(self.sun, facing)).T


class ShadowMap:
    """Shadow map of one direction around a point of the ground."""

    def __init__(
        self,
        vertices: np.ndarray,
        triangles: np.ndarray,
        cut: np.ndarray,
        direction: np.ndarray,
        centre: np.ndarray,
    ) -> None:
        """`vertices` (V, 3), `triangles` (T, 3) and `cut` (V,) of all that casts shadows."""
        across = np.array([direction[2], 0, -direction[0]], np.float32)
        if np.abs(across).sum() < 1e-6:
            across = np.array([1, 0, 0], np.float32)
        across /= np.linalg.norm(across)
        self._axes = np.stack([across, np.cross(direction, across), -direction]).astype(np.float32)
        self._centre = centre
        samples = rasterise(self._project(vertices), triangles, (_SIDE, _SIDE), cut)
        depth = np.full(_SIDE * _SIDE, np.inf, np.float32)
        depth[samples.places] = samples.depth
        self._depth = depth

    def _project(self, points: np.ndarray) -> np.ndarray:
        """Return x and y in texels, and a positive depth in metres."""
        moved = rotated(points - self._centre, self._axes)
        moved[:, :2] = (moved[:, :2] / np.float32(_REACH) + 1) * np.float32(_SIDE / 2)
        moved[:, 2] += np.float32(100)
        return moved

    def lit(self, points: np.ndarray) -> np.ndarray:
        """Return the fraction (P,) float32 of the light at `points` (P, 3), over 2 x 2 texels."""
        x, y, depth = self._project(points).T
        x, y = x - np.float32(0.5), y - np.float32(0.5)
        left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        right_weight, low_weight = x - left, y - top
        limit = depth - np.float32(_BIAS)
        columns = [np.clip(left + right, 0, _SIDE - 1) for right in (0, 1)]
        rows = [np.clip(top + low, 0, _SIDE - 1) * _SIDE for low in (0, 1)]
        across, down = (1 - right_weight, right_weight), (1 - low_weight, low_weight)
        total = np.zeros(len(points), np.float32)
        for right, low in ((0, 0), (1, 0), (0, 1), (1, 1)):
            free = self._depth.take(rows[low] + columns[right]) > limit
            total += across[right] * down[low] * free
        return total


class ContactMap:
    """Fraction of the sky that the things on the ground leave near their feet."""

    def __init__(self, vertices: np.ndarray, centre: np.ndarray) -> None:
        """`vertices` (V, 3) of all that stands around `centre` (3,)."""
        self._centre = centre
        low = vertices[vertices[:, 1] < _CONTACT]
        texel = self._texels(low[:, 0], low[:, 2])
        inside = ((texel >= 0) & (texel < _SIDE)).all(1)
        flat = texel[inside, 0] * _SIDE + texel[inside, 1]
        covered = np.bincount(flat, minlength=_SIDE * _SIDE).reshape(_SIDE, _SIDE) > 0
        self._cover = box_blur(box_blur(covered.astype(np.float32), 3), 4)

    def _texels(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        place = np.stack([x - self._centre[0], z - self._centre[2]], 1)
        return np.floor((place / np.float32(_REACH) + 1) * (_SIDE / 2)).astype(np.int64)

    def open_sky(self, points: np.ndarray) -> np.ndarray:
        """Return the fraction (P,) float32 of the sky at `points` (P, 3) of the ground."""
        texel = np.clip(self._texels(points[:, 0], points[:, 2]), 0, _SIDE - 1)
        return 1 - np.float32(0.8) * np.minimum(self._cover[texel[:, 0], texel[:, 1]] * 1.6, 1)


def box_blur(image: np.ndarray, radius: int) -> np.ndarray:
    """Average `image` (H, W) float32 over squares of 2 `radius` + 1 pixels, edges repeated."""
    return uniform_filter(image, 2 * radius + 1, mode="nearest")
