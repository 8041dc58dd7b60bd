"""Ground, walls and fixed shadows of a place: what rays meet behind people and objects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pipeline.world.light import box_blur
from pipeline.world.raster import rasterise
from pipeline.world.renderer import Ground
from pipeline.world.surfaces import Mesh
from pipeline.world.textures import Texture

_FAR = 200.0  # metres: where rays end that meet nothing
_SIDE = 512  # texels of a shade map
_EXTENT = 36.0  # metres that it covers
_ORIGIN = (-18.0, -36.0)  # x and z of its first texel
_FOOT = 0.3  # metres from a wall's foot at which half of the loss of sky is left


class Strip(NamedTuple):
    """One ground after another, across a path."""

    until: float
    """Metres across the path, where the next strip begins."""
    texture: Texture
    ragged: float = 0.0
    """Metres by which the border to the next strip wanders."""
    tone: float = 1.0
    """Factor of the texture."""


class Mark(NamedTuple):
    """Something flat on the ground: a cover, a puddle, a painted line."""

    x: float
    z: float
    yaw: float
    width: float
    length: float
    texture: Texture
    """Its height and width are stretched over the mark's."""


@dataclass(frozen=True)
class Cone:
    """P rays, and how large their pixels are."""

    eye: np.ndarray
    """(3,) float32 metres."""
    rays: np.ndarray
    """(P, 3) float32, of depth 1."""
    pixel: float
    """Size of a pixel at depth 1."""

    def part(self, rows: np.ndarray) -> Cone:
        """The rays in `rows`."""
        return replace(self, rays=self.rays[rows])

    def ground_depth(self) -> np.ndarray:
        """(P,) depth at which the rays meet the ground."""
        down = np.maximum(-self.rays[:, 1], np.float32(1e-4))
        return np.minimum(self.eye[1] / down, np.float32(_FAR))

    def footprint(self, heading: float) -> tuple[np.ndarray, np.ndarray]:
        """Metres of ground (P,) that a pixel covers along a heading and across it."""
        depth = self.ground_depth()
        x, y, z = self.rays.T
        wide = depth * np.float32(self.pixel)
        long = wide * np.sqrt(x * x + y * y + z * z) / np.maximum(-y, np.float32(1e-3))
        middle = self.rays[len(self.rays) // 2]
        seen = math.atan2(-float(middle[2]), float(middle[0])) - heading
        c, s = np.float32(math.cos(seen)), np.float32(math.sin(seen))
        along = np.sqrt((long * c) ** 2 + (wide * s) ** 2)
        return along, np.sqrt((long * s) ** 2 + (wide * c) ** 2)


@dataclass(frozen=True)
class GroundPlan:
    """Strips along a path through `origin` (x, z), marks on them, and dirt over all."""

    origin: tuple[float, float]
    heading: float
    """Radians: 0 is a path to the right, a quarter turn one that leads away from the camera."""
    strips: Sequence[Strip]
    marks: Sequence[Mark]
    grime: Texture
    """Colour: half the factor of the albedo; coverage: how borders wander."""

    def albedo(self, cone: Cone, points: np.ndarray) -> np.ndarray:
        """(P, 3) float32 at `points` (P, 3) of the ground."""
        along, across = self._coordinates(points)
        long, wide = cone.footprint(self.heading)
        grime = self.grime.sample(along, across, long, wide)
        wander = grime[:, 3] - np.float32(0.5)
        albedo = np.zeros((len(points), 3), np.float32)
        for strip, weight in zip(self.strips, self._weights(across, wide, wander), strict=True):
            here = np.flatnonzero(weight)
            if len(here):
                seen = strip.texture.sample(along[here], across[here], long[here], wide[here])
                albedo[here] += seen[:, :3] * (weight[here, None] * np.float32(2 * strip.tone))
        albedo *= grime[:, :3]
        x, z = points[:, 0].copy(), points[:, 2].copy()
        box = (float(x.min()), float(x.max()), float(z.min()), float(z.max()))
        for mark in self.marks:
            if _may_touch(mark, box):
                _draw_mark(mark, cone, x, z, albedo)
        return albedo

    def _coordinates(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Metres (P,) along the path and across it, to the left of who walks along."""
        c, s = np.float32(math.cos(self.heading)), np.float32(math.sin(self.heading))
        x = points[:, 0] - np.float32(self.origin[0])
        z = points[:, 2] - np.float32(self.origin[1])
        return x * c - z * s, -x * s - z * c

    def _weights(
        self, across: np.ndarray, wide: np.ndarray, wander: np.ndarray
    ) -> list[np.ndarray]:
        """Fraction (P,) of the pixel that shows each strip."""
        weights, left = [], np.ones_like(across)
        for strip in self.strips[:-1]:
            border = across - np.float32(strip.until) + np.float32(2 * strip.ragged) * wander
            beyond = np.minimum(np.clip(border / wide + np.float32(0.5), 0, 1), left)
            weights.append(left - beyond)
            left = beyond
        return [*weights, left]


def _may_touch(mark: Mark, box: tuple[float, float, float, float]) -> bool:
    """Whether a mark reaches into a box (lowest x, highest x, lowest z, highest z)."""
    left, right, back, front = box
    reach = math.hypot(mark.width, mark.length) / 2
    return left - reach < mark.x < right + reach and back - reach < mark.z < front + reach


def _draw_mark(mark: Mark, cone: Cone, x: np.ndarray, z: np.ndarray, albedo: np.ndarray) -> None:
    """Lay a mark over the albedo (P, 3) of the ground at `x` and `z` (P,)."""
    reach = np.float32(math.hypot(mark.width, mark.length) / 2)
    x, z = x - np.float32(mark.x), z - np.float32(mark.z)
    near = np.flatnonzero((np.abs(x) < reach) & (np.abs(z) < reach))
    c, s = np.float32(math.cos(mark.yaw)), np.float32(math.sin(mark.yaw))
    u, v = x[near] * c - z[near] * s, x[near] * s + z[near] * c
    inside = (np.abs(u) < mark.width / 2) & (np.abs(v) < mark.length / 2)
    near, u, v = near[inside], u[inside], v[inside]
    if not len(near):
        return
    wide, long = cone.part(near).footprint(mark.yaw)
    across = np.float32(mark.texture.size[1] / mark.width)
    down = np.float32(mark.texture.size[0] / mark.length)
    u, v = (u + np.float32(mark.width / 2)) * across, (v + np.float32(mark.length / 2)) * down
    seen = mark.texture.sample(u, v, wide * across, long * down)
    albedo[near] = seen[:, :3] + (1 - seen[:, 3:]) * albedo[near]


class Hits(NamedTuple):
    """Where rays meet a flat."""

    rows: np.ndarray
    """(N,) of the rays."""
    points: np.ndarray
    """(N, 3) float32 metres."""
    depth: np.ndarray
    """(N,) float32."""


@dataclass(frozen=True)
class Flat:
    """An upright picture that stands on the ground."""

    x: float
    z: float
    yaw: float
    """Radians: 0 faces +z."""
    start: float
    """Metres from (x, z) to its edges, to the right of who looks at it."""
    end: float
    texture: Texture
    opaque: bool
    """Without gaps, and higher than all that a camera sees."""

    @property
    def normal(self) -> np.ndarray:
        """(3,) float32."""
        return np.array([math.sin(self.yaw), 0, math.cos(self.yaw)], np.float32)

    @property
    def right(self) -> np.ndarray:
        """(3,) float32 direction of the picture's lower edge."""
        return np.array([math.cos(self.yaw), 0, -math.sin(self.yaw)], np.float32)

    def depth(self, cone: Cone) -> np.ndarray:
        """(P,) depth of the flat's plane, negative behind the eye."""
        normal, foot = self.normal, np.array([self.x, 0, self.z], np.float32)
        facing = cone.rays[:, 0] * normal[0] + cone.rays[:, 2] * normal[2]
        facing = np.where(np.abs(facing) < 1e-4, np.float32(1e-4), facing)
        offset = foot - cone.eye
        return (offset[0] * normal[0] + offset[2] * normal[2]) / facing

    def hits(self, cone: Cone, nearest: np.ndarray) -> Hits:
        """The rays that meet the flat at a depth before `nearest` (P,)."""
        depth = self.depth(cone)
        rows = np.flatnonzero((depth > 0) & (depth < nearest))
        points = cone.eye + cone.rays[rows] * depth[rows, None]
        u = self._along(points)
        inside = (u > self.start) & (u < self.end) & (points[:, 1] > 0)
        if not self.opaque:
            inside &= points[:, 1] < self.texture.size[0]
        rows = rows[inside]
        return Hits(rows, points[inside], depth[rows])

    def look(self, cone: Cone, points: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """(P, 4) colour and coverage where the rays meet it, at `points` (P, 3) and `depth`."""
        normal = self.normal
        facing = np.abs(cone.rays[:, 0] * normal[0] + cone.rays[:, 2] * normal[2])
        tall = depth * np.float32(cone.pixel)
        height = np.float32(self.texture.size[0])
        rim = np.maximum(tall, np.float32(self.texture.texel)) / 2
        down = np.clip(height - points[:, 1], rim, height - rim)
        return self.texture.sample(
            self._along(points), down, tall / np.maximum(facing, np.float32(0.05)), tall
        )

    def _along(self, points: np.ndarray) -> np.ndarray:
        right = self.right
        x, z = points[:, 0] - np.float32(self.x), points[:, 2] - np.float32(self.z)
        return x * right[0] + z * right[2]

    def foot_shade(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """How much of the sky the flat takes from the ground at x and z, 0 to 0.5."""
        normal, right = self.normal, self.right
        x, z = x - np.float32(self.x), z - np.float32(self.z)
        distance = (x * normal[0] + z * normal[2]) / np.float32(_FOOT)
        along = x * right[0] + z * right[2]
        inside = (along > self.start) & (along < self.end)
        return np.where(inside, np.float32(0.5) / (1 + distance * distance), 0)


class Shade:
    """How much of sun and sky reaches the ground past trees, buildings and parked things."""

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
        """(P,) float32 fraction of the sun that reaches people and props at `points` (P, 3)."""
        return _between(self._sun, *_texels(points, self._slope))

    def lit_behind(self, points: np.ndarray) -> np.ndarray:
        """The same on ground and walls, which have the shadows of the props too."""
        return _between(self._behind, *_texels(points, self._slope))

    def open_sky(self, points: np.ndarray) -> np.ndarray:
        """(P,) float32 fraction of the sky at `points` (P, 3) of the ground."""
        return _between(self._sky, *_texels(points, (0.0, 0.0)))


def shade_grid() -> tuple[np.ndarray, np.ndarray]:
    """x (1, 512) and z (512, 1) in metres of the texels of a shade map."""
    steps = (np.arange(_SIDE, dtype=np.float32) + np.float32(0.5)) * np.float32(_EXTENT / _SIDE)
    return steps[None] + np.float32(_ORIGIN[0]), steps[:, None] + np.float32(_ORIGIN[1])


def _outlines(meshes: Sequence[Mesh], slope: tuple[float, float]) -> np.ndarray:
    """(512, 512) float32: 1 where a mesh, moved down along a slope, covers the ground."""
    outline = np.zeros(_SIDE * _SIDE, np.float32)
    for mesh in meshes:
        points = np.stack([*_texels(mesh.vertices, slope), np.ones(len(mesh.vertices))], 1)
        found = rasterise(points.astype(np.float32), mesh.triangles, (_SIDE, _SIDE))
        outline[found.places] = 1
    return outline.reshape(_SIDE, _SIDE)


def _texels(points: np.ndarray, slope: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows (P,) of where `points` (P, 3) reach the ground along a slope."""
    scale = np.float32(_SIDE / _EXTENT)
    x = points[:, 0] - points[:, 1] * np.float32(slope[0]) - np.float32(_ORIGIN[0])
    z = points[:, 2] - points[:, 1] * np.float32(slope[1]) - np.float32(_ORIGIN[1])
    return x * scale, z * scale


def _bytes(image: np.ndarray) -> np.ndarray:
    return (image * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def _between(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(P,) float32 fractions of `image` (512, 512) uint8 at columns `x` and rows `y`."""
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


@dataclass(frozen=True)
class Scenery:
    """The backdrop of a place."""

    plan: GroundPlan
    flats: Sequence[Flat]
    shade: Shade
    haze: float
    """Fraction of what is seen that is air, 100 metres away."""

    def meet(self, eye: np.ndarray, rays: np.ndarray, pixel: float) -> Ground:
        """What the rays (P, 3) from `eye` (3,) meet; `pixel` is a pixel's size at depth 1."""
        cone = Cone(eye, rays, pixel)
        points = eye + rays * cone.ground_depth()[:, None]
        normals = np.zeros_like(points)
        normals[:, 1] = 1
        ground = Ground(points, np.zeros_like(points), normals, 1.0)
        if len(rays):
            self._paint(cone, ground)
        return ground._replace(lit=self.shade.lit_behind(points))

    def _paint(self, cone: Cone, ground: Ground) -> None:
        """Fill in the walls, then the ground that is left, then what has gaps."""
        depth = cone.ground_depth()
        walls = np.full(len(depth), -1)
        for number, flat in enumerate(self.flats):
            if flat.opaque:
                rows, ground.points[rows], depth[rows] = flat.hits(cone, depth)
                walls[rows], ground.normals[rows] = number, flat.normal
        rows = np.flatnonzero(walls < 0)
        if len(rows):
            points = ground.points[rows]
            albedo = self.plan.albedo(cone.part(rows), points)
            ground.albedo[rows] = albedo * self.shade.open_sky(points)[:, None]
        for number in np.unique(walls[walls >= 0]):
            rows = np.flatnonzero(walls == number)
            look = self.flats[number].look(cone.part(rows), ground.points[rows], depth[rows])
            ground.albedo[rows] = look[:, :3]
        for flat in self._screens(cone):
            _cover(flat, cone, depth, ground)
        air = np.minimum(depth * np.float32(self.haze / 100), 1)[:, None]
        ground.albedo[:] += (np.float32(0.5) - ground.albedo) * air

    def _screens(self, cone: Cone) -> list[Flat]:
        """The flats with gaps, the farthest first."""
        middle = cone.part(np.array([len(cone.rays) // 2]))
        screens = [flat for flat in self.flats if not flat.opaque]
        return sorted(screens, key=lambda flat: -float(flat.depth(middle)[0]))


def _cover(flat: Flat, cone: Cone, depth: np.ndarray, ground: Ground) -> None:
    """Put a flat with gaps before what is there already."""
    rows, points, reached = flat.hits(cone, depth)
    if not len(rows):
        return
    look = flat.look(cone.part(rows), points, reached)
    ground.albedo[rows] = look[:, :3] + (1 - look[:, 3:]) * ground.albedo[rows]
    solid = look[:, 3] > 0.5
    rows = rows[solid]
    ground.points[rows], ground.normals[rows] = points[solid], flat.normal
