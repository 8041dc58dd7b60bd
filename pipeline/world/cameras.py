"""Cameras: a place, the obstacles that stand in it, and a sensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from pipeline.world import Rng
from pipeline.world.layouts import Standpoint
from pipeline.world.objects import KINDS, Spot, footprint, overlap
from pipeline.world.places import Place, draw_place
from pipeline.world.sensor import Sensor, draw_sensor
from pipeline.world.surfaces import Mesh

_TRIES = 200
_GAP = 0.3  # metres between two obstacles
_LEAST_HEIGHT, _LEAST_WIDTH = 0.7, 0.5  # metres of an obstacle
_NEARER = (0.4, 1.6)  # metres from a walk to an obstacle before it
_REACH = 0.25  # metres around a person that must be free
_PASSERS, _UNHIDDEN = 40, 0.5  # sampled people, and the least fraction that nothing hides


class Obstacle(NamedTuple):
    """An object that may stand in several places."""

    kind: str
    mesh: Mesh
    """At the origin."""


@dataclass(frozen=True)
class Standing:
    """An obstacle at its fixed spot before a camera."""

    kind: str
    mesh: Mesh
    spot: Spot
    walk: float
    """Heading in radians of the people who pass it."""

    @cached_property
    def bearings(self) -> np.ndarray:
        """(2,) float32: lowest and highest x / z."""
        x, _, z = self.mesh.vertices.T
        bearing = x / z
        return np.stack([bearing.min(), bearing.max()])


@dataclass(frozen=True)
class Camera:
    """A place, its fixed obstacles, and the sensor."""

    place: Place
    sensor: Sensor
    standing: tuple[Standing, ...] = ()


def draw_obstacles(rng: Rng, count: int) -> list[Obstacle]:
    """Sample obstacles that can hide a third of a person, of different kinds if possible."""
    kinds = [name for name, kind in KINDS.items() if kind.hides in ("low", "tall")]
    chosen: list[Obstacle] = []
    order: list[str] = []
    while len(chosen) < count:
        order = order or [str(kind) for kind in rng.permutation(kinds)]
        kind = order.pop(0)
        mesh = KINDS[kind].make(rng)
        width, height, _ = mesh.vertices.max(0) - mesh.vertices.min(0)
        if height > _LEAST_HEIGHT and width > _LEAST_WIDTH:
            chosen.append(Obstacle(kind, mesh))
    return chosen


def draw_camera(rng: Rng, obstacles: Sequence[Obstacle] = ()) -> Camera:
    """Sample a camera with those of the `obstacles` that find a spot before it."""
    place = draw_place(rng)
    passers = [place.draw_standpoint(rng) for _ in range(_PASSERS)]
    standing: list[Standing] = []
    for obstacle in obstacles:
        found = _beside_a_walk(rng, place, obstacle, standing, passers)
        standing += [found] if found else []
    return Camera(place, draw_sensor(rng, place.luminance), tuple(standing))


def _beside_a_walk(
    rng: Rng,
    place: Place,
    obstacle: Obstacle,
    others: Sequence[Standing],
    passers: Sequence[Standpoint],
) -> Standing | None:
    """Place `obstacle` between a walk and the camera, clear of `others`.

    It leaves at least half of the `passers` unhidden. Returns None if no such spot is found.
    """
    seen = [p for p in passers if not any(hides(other, p) for other in others)]
    for _ in range(_TRIES):
        x, z, walk = place.draw_standpoint(rng)
        nearer = z + rng.uniform(*_NEARER)
        yaw = walk + np.pi / 2 + rng.normal(0, 0.12)
        spot = Spot(x * nearer / z, float(nearer), float(yaw), *footprint(obstacle.mesh))
        if any(overlap(spot, other.spot, _GAP) for other in others):
            continue
        mesh = obstacle.mesh.placed(spot.yaw, spot.x, spot.z)
        standing = Standing(obstacle.kind, mesh, spot, walk)
        if sum(not hides(standing, p) for p in seen) >= _UNHIDDEN * len(passers):
            return standing
    return None


def hides(standing: Standing, passer: Standpoint) -> bool:
    """Return whether an obstacle is before a passer, as the camera sees it, or at its spot."""
    sideways = standing.bearings * passer.z - passer.x  # metres, where the passer is
    before = standing.mesh.mean_z > passer.z
    if before and sideways.min() < _REACH and sideways.max() > -_REACH:
        return True
    return meets(standing, passer)


def meets(standing: Standing, passer: Standpoint) -> bool:
    """Return whether an obstacle and a passer are at the same spot."""
    spot = standing.spot
    if math.hypot(passer.x - spot.x, passer.z - spot.z) > 2 * _REACH + spot.radius:
        return False
    return overlap(Spot(passer.x, passer.z, 0, _REACH, _REACH), spot)
