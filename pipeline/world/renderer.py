"""Shade the visible surfaces of a crop, and label its pixels.

A pixel has four samples. Each part of a surface in a pixel is shaded once and weighted by its
number of samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from pipeline.world.geometry import FINE, Geometry, cut_of
from pipeline.world.light import ContactMap, Light, ShadowMap, box_blur
from pipeline.world.surfaces import PARTS, Surface, dot, interpolate
from pipeline.world.view import Rays, View

BACKDROP = -1
"""Item of a pixel that shows no surface."""

_CREASE = 0.3  # metres: largest step in depth that darkens a crease
_LIFT = 0.06  # metres above a surface at which its shadow is sampled: more than a texel
_SHININESS = 40


class Ground(NamedTuple):
    """Points of ground and walls that P rays meet."""

    points: np.ndarray
    """(P, 3) float32 metres."""
    albedo: np.ndarray
    """(P, 3) float32."""
    normals: np.ndarray
    """(P, 3) float32 of length 1."""
    lit: np.ndarray | float
    """(P,) fraction of the sun that reaches them past the things of the place."""


class Backdrop(Protocol):
    """Ground and walls of a place."""

    def meet(self, rays: Rays) -> Ground:
        """Return what the rays meet."""

    def lit(self, points: np.ndarray) -> np.ndarray | float:
        """Return the fraction (P,) of the sun at `points` (P, 3) past trees and buildings."""


@dataclass(frozen=True)
class Frame:
    """A rendered crop of H x W pixels."""

    radiance: np.ndarray
    """(H, W, 3) float32, linear."""
    items: np.ndarray
    """(H, W) int16 index of the surface that covers most of the pixel, or `BACKDROP`."""
    parts: np.ndarray
    """(H, W) uint8 index in `PARTS` of the part that covers most of it."""


def shade(
    geometry: Geometry, backdrop: Backdrop, light: Light, centre: np.ndarray, casts: Sequence[bool]
) -> Frame:
    """Shade the visible surfaces; those with `casts` cast shadows near `centre` (3,)."""
    view = geometry.view
    casters = [surface for surface, cast in zip(geometry.surfaces, casts, strict=True) if cast]
    shadows = _Shadows(casters, light, centre, backdrop)
    layers = _layers(geometry)
    depth = _pixel_depth(geometry)
    radiance = _backdrop(view, backdrop, light, shadows, layers.empty)
    crease = _creases(depth, view.scale).ravel()
    for item in np.unique(layers.items):
        chosen = np.flatnonzero(layers.items == item)
        surface, samples = geometry.surfaces[item], layers.samples[chosen]
        places = layers.places[chosen]
        colours = _colours(geometry, surface, samples, light, shadows, crease[places])
        _add(radiance, places, colours * layers.coverage[chosen, None])
    items, parts = _labels(geometry, layers)
    return Frame(radiance.reshape(*view.size, 3), items, parts)


class _Layers(NamedTuple):
    """One entry for each part of a surface in each pixel."""

    places: np.ndarray
    """Flat index of the pixel."""
    samples: np.ndarray
    """The sample that stands for it."""
    items: np.ndarray
    parts: np.ndarray
    coverage: np.ndarray
    """Fraction of the pixel, float32."""
    empty: np.ndarray
    """(H * W,) float32: fraction of each pixel that shows the backdrop."""


def _layers(geometry: Geometry) -> _Layers:
    height, width = geometry.view.size
    samples, count = geometry.samples, FINE * FINE
    sample_at = np.full(height * width * count, -1)
    sample_at[samples.places] = np.arange(len(samples.places))
    sample_at = _by_pixel(sample_at, height, width)  # (4, H * W)
    key_of = geometry.owner * len(PARTS) + geometry.parts
    keys = np.append(key_of, -1)[sample_at]
    places, chosen, covered = [], [], []
    for slot in range(count):
        same = keys == keys[slot]
        found = np.flatnonzero((keys[slot] >= 0) & ~same[:slot].any(0))
        places.append(found)
        chosen.append(sample_at[slot, found])
        covered.append(same[:, found].sum(0, dtype=np.float32))
    sample = np.concatenate(chosen)
    empty = (keys < 0).sum(0, dtype=np.float32) / np.float32(count)
    return _Layers(
        np.concatenate(places),
        sample,
        geometry.owner[sample],
        geometry.parts[sample],
        np.concatenate(covered) / np.float32(count),
        empty,
    )


def _by_pixel(fine: np.ndarray, height: int, width: int) -> np.ndarray:
    """Reorder values of samples to (4, height * width): those of each pixel."""
    blocks = fine.reshape(height, FINE, width, FINE).transpose(1, 3, 0, 2)
    return blocks.reshape(FINE * FINE, height * width)


def _pixel_depth(geometry: Geometry) -> np.ndarray:
    """Return the depth (H, W) float32 of the nearest surface, infinite without one."""
    height, width = geometry.view.size
    fine = np.full(height * width * FINE * FINE, np.inf, np.float32)
    fine[geometry.samples.places] = geometry.samples.depth
    return _by_pixel(fine, height, width).min(0).reshape(height, width)


def _creases(depth: np.ndarray, scale: float) -> np.ndarray:
    """Return the fraction (H, W) float32 of the sky; nearer surroundings hide some of it."""
    known = np.isfinite(depth)
    if not known.any():
        return np.ones_like(depth)
    filled = np.where(known, depth, depth[known].max() + 1)
    pixels = scale / float(np.median(depth[known]))  # of one metre
    shadow = np.zeros_like(depth)
    for metres in (0.05, 0.13):
        nearer = filled - box_blur(filled, max(1, round(metres * pixels)))
        shadow += np.clip(nearer * np.clip(2 - nearer / (_CREASE / 2), 0, 1) / 0.12, 0, 1)
    return 1 - np.float32(0.32) * shadow


class _Shadows:
    """Sun and sky on points near the middle of the crop."""

    def __init__(
        self, casters: Sequence[Surface], light: Light, centre: np.ndarray, backdrop: Backdrop
    ) -> None:
        self._place = backdrop
        self._sun: ShadowMap | None = None
        self._contact: ContactMap | None = None
        if not casters:
            return
        vertices = np.concatenate([surface.vertices for surface in casters])
        self._contact = ContactMap(vertices, centre)
        if light.sun.max() > 0:
            starts = np.cumsum([0, *(len(surface.vertices) for surface in casters[:-1])])
            triangles = np.concatenate(
                [s.triangles + start for s, start in zip(casters, starts, strict=True)]
            )
            cut = np.concatenate([cut_of(surface) for surface in casters])
            self._sun = ShadowMap(vertices, triangles, cut, light.direction, centre)

    def cast(self, points: np.ndarray) -> np.ndarray | float:
        """Return the fraction (P,) of the sun that the casters let through."""
        return self._sun.lit(points) if self._sun else 1.0

    def lit(self, points: np.ndarray) -> np.ndarray | float:
        """Return the fraction (P,) of the sun that casters and place let through."""
        return self.cast(points) * self._place.lit(points) if self._sun else 1.0

    def open_sky(self, points: np.ndarray) -> np.ndarray | float:
        """Return the fraction (P,) of the sky on the ground; surfaces have `_creases`."""
        if self._contact is None:
            return 1.0
        on_ground = points[:, 1] < 0.02
        return np.where(on_ground, self._contact.open_sky(points), np.float32(1))


def _backdrop(
    view: View, backdrop: Backdrop, light: Light, shadows: _Shadows, empty: np.ndarray
) -> np.ndarray:
    """Return the light (H * W, 3) from ground and walls, times their fraction of each pixel."""
    out = np.zeros((3, len(empty)), np.float32).T
    places = np.flatnonzero(empty > 0)
    ground = backdrop.meet(view.rays(places))
    lit = shadows.cast(ground.points) * ground.lit
    received = light.on(ground.normals, lit, shadows.open_sky(ground.points))
    out[places] = ground.albedo * received * empty[places, None]
    return out


def _colours(
    geometry: Geometry,
    surface: Surface,
    samples: np.ndarray,
    light: Light,
    shadows: _Shadows,
    open_sky: np.ndarray,
) -> np.ndarray:
    """Return the light (P, 3) from samples of one surface towards the eye."""
    rows, weights = geometry.rows[samples], geometry.weights(samples)
    paint = surface.paint(rows, weights)
    points = interpolate(surface.vertices, surface.triangles[rows], weights)
    to_eye = geometry.view.eye - points
    to_eye /= _length(to_eye)
    normals = paint.normals / np.maximum(_length(paint.normals), np.float32(1e-6))
    away = dot(normals, to_eye) < 0
    normals = np.where((away & surface.two_sided[rows])[:, None], -normals, normals)
    lit = shadows.lit(points + np.float32(_LIFT) * normals)
    diffuse = paint.albedo * light.on(normals, lit, open_sky)
    if not np.any(paint.gloss):
        return diffuse
    return diffuse + _reflection(normals, to_eye, light, lit) * np.reshape(paint.gloss, (-1, 1))


def _reflection(
    normals: np.ndarray, to_eye: np.ndarray, light: Light, lit: np.ndarray | float
) -> np.ndarray:
    """Return the reflected light (P, 3) of sky and sun."""
    facing = np.maximum(dot(normals, to_eye), 0)
    fresnel = np.float32(0.08) + np.float32(0.6) * (1 - facing) ** 5
    upward = 2 * facing * normals[:, 1] - to_eye[:, 1]  # of the mirrored direction
    sky = np.multiply.outer(light.sky, fresnel * np.clip(0.4 + upward, 0, 1))
    halfway = to_eye + light.direction
    halfway /= _length(halfway)
    glint = np.maximum(dot(normals, halfway), 0) ** _SHININESS * lit
    return (sky + np.multiply.outer(light.sun, np.float32(0.4) * glint)).T


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(dot(vectors, vectors))[:, None]


def _add(radiance: np.ndarray, places: np.ndarray, colours: np.ndarray) -> None:
    """Add colours to pixels in place; `places` may repeat."""
    for channel in range(3):
        radiance[:, channel] += np.bincount(places, colours[:, channel], len(radiance)).astype(
            np.float32
        )


def _labels(geometry: Geometry, layers: _Layers) -> tuple[np.ndarray, np.ndarray]:
    """Return the item and the part (H, W) that cover most of each pixel."""
    size, count = geometry.view.size, len(layers.empty)
    order = np.argsort(layers.coverage, kind="stable")  # the largest is written last
    places = layers.places[order]
    largest, items = np.zeros(count, np.float32), np.full(count, BACKDROP, np.int16)
    parts = np.zeros(count, np.uint8)
    largest[places] = layers.coverage[order]
    items[places], parts[places] = layers.items[order], layers.parts[order]
    hidden = layers.empty >= largest
    items[hidden], parts[hidden] = BACKDROP, 0
    return items.reshape(size), parts.reshape(size)
