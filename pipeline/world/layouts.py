"""The layout of a place around a path: bands of ground, walls, marks, props and walks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.world import Rng, grounds
from pipeline.world.flats import Flat
from pipeline.world.ground_plan import Mark, Strip
from pipeline.world.objects import footprint
from pipeline.world.surfaces import Mesh
from pipeline.world.textures import Texture, TexturePainter

SIGHT = 0.34
"""Half the width of the area where people walk, over its distance."""

_MARGIN = 0.35  # metres around people that stay free


class Standpoint(NamedTuple):
    """Position and heading of a person."""

    x: float
    z: float
    yaw: float
    """Radians; 0 walks towards +z."""


class Walk(NamedTuple):
    """A straight line along which people walk, in both directions."""

    start: tuple[float, float]
    """x and z in metres."""
    end: tuple[float, float]
    width: float
    """Metres across which people spread."""

    def at(self, along: float, aside: float) -> tuple[float, float]:
        """Return x and z at a fraction of the length (0 to 1) and of the width (-0.5 to 0.5)."""
        dx, dz = self.end[0] - self.start[0], self.end[1] - self.start[1]
        step = aside * self.width / math.hypot(dx, dz)
        return self.start[0] + along * dx - step * dz, self.start[1] + along * dz + step * dx

    def draw(self, rng: Rng) -> Standpoint:
        """Sample a standpoint on the walk."""
        x, z = self.at(rng.uniform(0, 1), rng.uniform(-0.5, 0.5))
        yaw = math.atan2(self.end[0] - self.start[0], self.end[1] - self.start[1])
        return Standpoint(x, z, yaw + rng.normal(0, 0.18) + math.pi * int(rng.integers(2)))


class _Band(NamedTuple):
    """A strip of ground beside the path, by its width."""

    width: float
    texture: Texture
    ragged: float = 0.0
    tone: float = 1.0


@dataclass
class Layout:
    """A place under construction, around a path."""

    origin: tuple[float, float]
    """x and z of the middle of the path."""
    heading: float
    """Radians: 0 is a path to the right; a quarter turn, one that leads away from the camera."""
    half: float
    """Half the width of the path in metres."""
    path: Texture
    walks: list[Walk] = field(default_factory=list)
    bands: dict[int, list[_Band]] = field(default_factory=lambda: {1: [], -1: []})
    """From the path outwards, on its far side (1) and its near side (-1)."""
    marks: list[Mark] = field(default_factory=list)
    flats: list[Flat] = field(default_factory=list)
    props: list[Mesh] = field(default_factory=list)
    textures: dict[grounds.Painter, Texture] = field(default_factory=dict)
    """One texture per painter of the bands."""

    def at(self, along: float, across: float) -> tuple[float, float]:
        """Return x and z at metres along the path and across it, towards its far side."""
        c, s = math.cos(self.heading), math.sin(self.heading)
        return self.origin[0] + along * c - across * s, self.origin[1] - along * s - across * c

    def strips(self) -> list[Strip]:
        """Return all strips from the near side to the far side."""
        near, far = reversed(self.bands[-1]), self.bands[1]
        path = Strip(self.half, self.path)
        return [*_strips(-self.edge(-1), near), path, *_strips(self.half, far)]

    def edge(self, side: int) -> float:
        """Return the metres from the middle of the path to the end of its last band."""
        return self.half + sum(band.width for band in self.bands[side])

    def band(
        self,
        rng: Rng,
        side: int,
        width: float,
        painter: grounds.Painter,
        ragged: float = 0.0,
        tone: float = 1.0,
    ) -> None:
        """Add a band outside the others."""
        if painter not in self.textures:
            self.textures[painter] = grounds.ground_texture(rng, painter)
        self.bands[side].append(_Band(width, self.textures[painter], ragged, tone))

    def paving(self, side: int, width: float) -> None:
        """Add a band with the texture of the path outside the others."""
        self.bands[side].append(_Band(width, self.path))

    def wall(
        self, rng: Rng, side: int, across: float, painter: TexturePainter, opaque: bool = False
    ) -> None:
        """Add a flat along the path, unless it would stand between the camera and the path."""
        camera = self.origin[1] * math.cos(self.heading)  # metres across
        if side < 0 and across < 0.5 - camera:
            return
        texture = painter(rng)
        x, z = self.at(0, side * across)
        yaw = self.heading if side > 0 else self.heading + math.pi
        self.flats.append(Flat(x, z, yaw, -60, 60, texture, opaque))

    def place(self, mesh: Mesh, along: float, across: float, yaw: float) -> None:
        """Add a prop, unless it may hide a person or block a walk."""
        x, z = self.at(along, across)
        if not self._hinders(x, z, math.hypot(*footprint(mesh)) + _MARGIN):
            self.props.append(mesh.placed(self.heading + yaw, x, z))

    def seen(self, x: float, z: float) -> bool:
        """Return whether a prop at (x, z) can appear behind people without blocking a walk."""
        return -34 < z < -4 and abs(x) < SIGHT * abs(z) + 3 and not self._hinders(x, z, _MARGIN)

    def _hinders(self, x: float, z: float, radius: float) -> bool:
        """Return whether a disc blocks a walk or stands between a walk and the camera."""
        return any(
            _distance(x, z, *walk.at(eighths / 8, aside)) < radius
            for walk in self.walks
            for eighths in range(9)
            for aside in (-0.5, 0, 0.5)
        )


def _strips(start: float, bands: Iterable[_Band]) -> list[Strip]:
    """Return the strips of adjacent bands from `start` metres on."""
    strips = []
    for band in bands:
        start += band.width
        strips.append(Strip(start, band.texture, band.ragged, band.tone))
    return strips


def _distance(x: float, z: float, end_x: float, end_z: float) -> float:
    """Return the distance of (x, z) from the line between the camera and (end_x, end_z)."""
    fraction = (x * end_x + z * end_z) / (end_x * end_x + end_z * end_z)
    fraction = min(1.0, max(0.0, fraction))
    return math.hypot(x - fraction * end_x, z - fraction * end_z)
