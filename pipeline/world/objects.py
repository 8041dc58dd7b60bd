"""Obstacles by kind, and the ground they take.

Each stands on y = 0 about the origin, its longest side along x and its front towards +z.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from pipeline.world import Rng, barriers, carts, cycles, furniture, plants, street, vehicles
from pipeline.world.meshes import moved
from pipeline.world.surfaces import Mesh

HEADROOM = 2.0
"""Metres; parts above it block nobody on the ground."""

Hiding = Literal["low", "tall", "high", "thin", "see_through"]
"""Which part of a person an obstacle hides.

low: the legs; tall: the whole person or one side; high: the head; thin: a narrow strip;
see_through: little.
"""


class Kind(NamedTuple):
    """A kind of obstacle."""

    build: Callable[[Rng], Mesh]
    """The generator decides colour, size and style."""
    hides: Hiding
    """Of a person right behind it."""

    def make(self, rng: Rng) -> Mesh:
        """Make a mesh whose footprint is centred on the origin and whose lowest point is at 0."""
        mesh = self.build(rng)
        low = mesh.vertices[mesh.vertices[:, 1] < HEADROOM]
        x, _, z = (low.min(0) + low.max(0)).astype(np.float64) / 2
        return moved(mesh, x=-x, y=-float(mesh.vertices[:, 1].min()), z=-z)


KINDS = {
    "car": Kind(vehicles.car, "low"),
    "van": Kind(vehicles.van, "tall"),
    "bicycle": Kind(cycles.bicycle, "see_through"),
    "scooter": Kind(cycles.scooter, "low"),
    "stroller": Kind(carts.stroller, "low"),
    "trolley": Kind(carts.trolley, "see_through"),
    "bush": Kind(plants.bush, "low"),
    "hedge": Kind(plants.hedge, "low"),
    "bare_bush": Kind(plants.bare_bush, "see_through"),
    "plant": Kind(plants.plant, "low"),
    "planter": Kind(plants.planter, "low"),
    "tree": Kind(plants.tree, "tall"),
    "bin": Kind(street.bin_, "low"),
    "sign_board": Kind(furniture.sign_board, "low"),
    "sign_post": Kind(barriers.sign_post, "thin"),
    "lamp_post": Kind(barriers.lamp_post, "thin"),
    "bollard": Kind(barriers.bollard, "thin"),
    "pillar": Kind(barriers.pillar, "tall"),
    "railing": Kind(barriers.railing, "see_through"),
    "barrier": Kind(barriers.barrier, "low"),
    "low_wall": Kind(barriers.low_wall, "low"),
    "bench": Kind(furniture.bench, "low"),
    "table": Kind(furniture.table, "see_through"),
    "parasol": Kind(furniture.parasol, "high"),
    "boxes": Kind(furniture.boxes, "low"),
    "crate": Kind(furniture.crate, "low"),
    "cone": Kind(barriers.cone, "low"),
    "cabinet": Kind(street.cabinet, "low"),
    "hydrant": Kind(street.hydrant, "low"),
    "newspaper_box": Kind(furniture.newspaper_box, "low"),
    "post_box": Kind(street.post_box, "low"),
    "vending": Kind(furniture.vending, "tall"),
}


def footprint(mesh: Mesh) -> tuple[float, float]:
    """Return the half extents in x and z below `HEADROOM` of a mesh about the origin."""
    low = np.abs(mesh.vertices[mesh.vertices[:, 1] < HEADROOM])
    return float(low[:, 0].max()), float(low[:, 2].max())


class Spot(NamedTuple):
    """The rectangle of ground that a placed object takes."""

    x: float
    z: float
    yaw: float
    half_x: float
    half_z: float

    @property
    def radius(self) -> float:
        """Metres from its centre to its corners."""
        return math.hypot(self.half_x, self.half_z)


def overlap(one: Spot, other: Spot, gap: float = 0.0) -> bool:
    """Return whether two rectangles come closer than `gap` metres (separating axes)."""
    offset = np.array([other.x - one.x, other.z - one.z])
    sides = [_sides(one), _sides(other)]
    for axis in np.concatenate([_axes(one), _axes(other)]):
        reach = sum(float(np.abs(side @ axis).sum()) for side in sides)
        if abs(float(offset @ axis)) >= reach + gap:
            return False
    return True


def _axes(spot: Spot) -> np.ndarray:
    """Return the (2, 2) directions in x and z of the sides of a rectangle."""
    c, s = np.cos(spot.yaw), np.sin(spot.yaw)
    return np.array([[c, -s], [s, c]])


def _sides(spot: Spot) -> np.ndarray:
    """Return the (2, 2) half sides of a rectangle."""
    return _axes(spot) * np.array([[spot.half_x], [spot.half_z]])
