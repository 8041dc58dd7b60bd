"""Obstacles by kind, and the ground they take.

Each stands on y = 0 about the origin, its longest side along x and its front towards +z.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from pipeline.world import (
    barriers,
    carts,
    cycles,
    furniture,
    plants,
    posts,
    scooters,
    street,
    vehicles,
)
from pipeline.world.meshes import moved
from pipeline.world.surfaces import Mesh

HEADROOM = 2.0
"""Metres; parts above it block nobody on the ground."""

Hiding = Literal["low", "tall", "high", "thin", "see_through"]
"""Which part of a person an obstacle hides.

low: the legs; tall: the whole person or one side; high: the head; thin: a narrow strip;
see_through: little.
"""


def _standing(make: Callable[[np.random.Generator], Mesh]) -> Callable[[np.random.Generator], Mesh]:
    """Wrap `make`: centre the footprint of its mesh and put its lowest point at 0."""

    def build(rng: np.random.Generator) -> Mesh:
        mesh = make(rng)
        low = mesh.vertices[mesh.vertices[:, 1] < HEADROOM]
        x, _, z = (low.min(0) + low.max(0)).astype(np.float64) / 2
        return moved(mesh, x=-x, y=-float(mesh.vertices[:, 1].min()), z=-z)

    return build


_MAKERS: dict[str, tuple[Callable[[np.random.Generator], Mesh], Hiding]] = {
    "car": (vehicles.car, "low"),
    "van": (vehicles.van, "tall"),
    "bicycle": (cycles.bicycle, "see_through"),
    "scooter": (scooters.scooter, "low"),
    "stroller": (carts.stroller, "low"),
    "trolley": (carts.trolley, "see_through"),
    "bush": (plants.bush, "low"),
    "hedge": (plants.hedge, "low"),
    "bare_bush": (plants.bare_bush, "see_through"),
    "plant": (plants.plant, "low"),
    "planter": (plants.planter, "low"),
    "tree": (plants.tree, "tall"),
    "bin": (street.bin_, "low"),
    "sign_board": (furniture.sign_board, "low"),
    "sign_post": (posts.sign_post, "thin"),
    "lamp_post": (posts.lamp_post, "thin"),
    "bollard": (posts.bollard, "thin"),
    "pillar": (posts.pillar, "tall"),
    "railing": (barriers.railing, "see_through"),
    "barrier": (barriers.barrier, "low"),
    "low_wall": (barriers.low_wall, "low"),
    "bench": (furniture.bench, "low"),
    "table": (furniture.table, "see_through"),
    "parasol": (furniture.parasol, "high"),
    "boxes": (furniture.boxes, "low"),
    "crate": (furniture.crate, "low"),
    "cone": (barriers.cone, "low"),
    "cabinet": (street.cabinet, "low"),
    "hydrant": (street.hydrant, "low"),
    "newspaper_box": (furniture.newspaper_box, "low"),
    "post_box": (street.post_box, "low"),
    "vending": (furniture.vending, "tall"),
}

KINDS: dict[str, Callable[[np.random.Generator], Mesh]] = {
    kind: _standing(make) for kind, (make, _) in _MAKERS.items()
}
"""Maker of each kind of obstacle; the generator decides colour, size and style."""

HIDING: dict[str, Hiding] = {kind: hiding for kind, (_, hiding) in _MAKERS.items()}
"""What each kind hides of a person right behind it."""


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
