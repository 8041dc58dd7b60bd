"""Cloth as tubes around the body: rings that follow the convex outline of its cross-sections.

Cloth hangs from what sticks out, so that its outline is the hull of a section plus some room, and
below a wide place it falls straight rather than back to the skin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np

from pipeline.world.body import BIND_SPREAD, SIDES, Body, BodyShape, Skin

_END = 0.004  # metres: the outermost section of a part
_MIN_FACING = 0.25  # cosine: flatter supporting lines do not bound a ring


class Limbs(NamedTuple):
    """Heights in metres of the bind pose: where garments begin and end."""

    neck: float
    shoulder: float
    chest: float
    waist: float
    hip: float
    crotch: float
    knee: float
    ankle: float


@dataclass(frozen=True)
class Tube:
    """R rings of C points each; the last point of a ring is at the place of the first."""

    vertices: np.ndarray
    """(R, C, 3) float32 metres."""
    places: np.ndarray
    """(R, C, 2) float32 metres: around from the front, to the left; along from the first ring."""
    skin: Skin
    """Of R * C vertices."""
    outward: bool
    """Whether columns run counter-clockwise seen from the last ring."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.vertices.shape[0], self.vertices.shape[1]


class Frame(NamedTuple):
    """Axes of a tube; rings start at `ahead` and turn towards `aside`."""

    origin: np.ndarray
    along: np.ndarray
    ahead: np.ndarray
    aside: np.ndarray


class Slices:
    """Cross-sections of a part of the body."""

    def __init__(self, vertices: np.ndarray, edges: np.ndarray, frame: Frame) -> None:
        """`edges` (E, 2): those of the part, rows of `vertices` (V, 3)."""
        moved = (vertices.astype(np.float64) - frame.origin).T
        self._along, ahead, aside = (
            (axis[0] * moved[0] + axis[1] * moved[1] + axis[2] * moved[2])[edges]
            for axis in (frame.along, frame.ahead, frame.aside)
        )  # (E, 2) each
        self._flat = np.stack([ahead, aside])  # (2, E, 2)
        self.low, self.high = float(self._along.min()), float(self._along.max())

    def points(self, stations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(2, N) ahead and aside, where planes `stations` (R,) metres along cut the edges.

        They come plane by plane; (R,) is the first of each.
        """
        before = self._along <= stations[:, None, None]  # (R, E, 2)
        plane, edge = np.nonzero(before[..., 0] != before[..., 1])
        start, end = self._along[edge].T
        part = (stations[plane] - start) / (end - start)
        flat = self._flat[:, edge]
        points = flat[..., 0] + part * (flat[..., 1] - flat[..., 0])
        return points, np.searchsorted(plane, np.arange(len(stations)))


class Rings(NamedTuple):
    """Outlines in polar coordinates about their middles."""

    stations: np.ndarray
    """(R,) metres along."""
    middles: np.ndarray
    """(R, 2) ahead and aside."""
    radii: np.ndarray
    """(R, C) metres, C directions."""


@cache
def circle(columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine (columns + 1,) of angles from -180 to 180 degrees, both included."""
    angles = [math.pi * (2 * column / columns - 1) for column in range(columns + 1)]
    return np.cos(angles).round(9), np.sin(angles).round(9)


@cache
def _facing(columns: int) -> np.ndarray:
    """(columns + 1, columns + 1) cosine of the angles between the directions of a circle."""
    cosines, sines = circle(columns)
    return cosines[:, None] * cosines + sines[:, None] * sines


def hull_radii(supports: np.ndarray) -> np.ndarray:
    """(R, C) distances to convex outlines whose supporting lines are `supports` (R, C) away."""
    facing = _facing(supports.shape[1] - 1)
    limits = np.maximum(facing, _MIN_FACING)
    bounds = np.where(facing > _MIN_FACING, supports[:, None, :] / limits, np.inf)
    return bounds.min(2)


def rings(slices: Slices, stations: np.ndarray, columns: int) -> Rings:
    """The outlines at `stations` (R,); beyond the part's ends that of the end."""
    inside = np.clip(stations, slices.low + _END, slices.high - _END)
    points, first = slices.points(inside)
    low, high = np.minimum.reduceat(points, first, 1), np.maximum.reduceat(points, first, 1)
    middles = (low + high) / 2  # (2, R)
    counts = np.diff(np.append(first, points.shape[1]))
    ahead, aside = points - np.repeat(middles, counts, 1)
    cosines, sines = circle(columns)
    reach = ahead[:, None] * cosines + aside[:, None] * sines
    return Rings(stations, middles.T, hull_radii(np.maximum.reduceat(reach, first, 0)))


def smoothed(rows: np.ndarray) -> np.ndarray:
    """Each of `rows` (R, K) averaged with its neighbours."""
    padded = np.concatenate([rows[:1], rows, rows[-1:]])
    return (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4


def hanging(radii: np.ndarray, steps: np.ndarray, taper: float) -> np.ndarray:
    """(R, C) radii that shrink from ring to ring by at most `taper` metres per metre.

    The cloth hangs from the first ring; `steps` (R,) are the distances to the ring before.
    """
    result = radii.copy()
    for row in range(1, len(radii)):
        result[row] = np.maximum(radii[row], result[row - 1] - taper * steps[row])
    return result


class Tailor:
    """Makes tubes around one body."""

    def __init__(self, body: Body, shape: BodyShape) -> None:
        self.body, self.shape = body, shape
        self.of_arms = body.weight_of("upperarm", "lowerarm", "hand", "middle")
        """(V,) weight of the bones of the arms."""

    def joint(self, bone: str) -> np.ndarray:
        return self.shape.joints[self.body.bone(bone)].astype(np.float64)

    @cached_property
    def heights(self) -> Limbs:
        neck, shoulder, chest, waist, hip, knee, ankle = (
            float(self.joint(bone)[1])
            for bone in (
                "neck_01", "upperarm_l", "spine_03", "spine_02", "thigh_l", "calf_l", "foot_l",
            )
        )  # fmt: skip
        chest += 0.45 * (shoulder - chest)
        middle = np.abs(self.shape.vertices[:, 0]) < 0.02
        low = self.body.weight_of("pelvis", "thigh") > 0.5
        crotch = float(self.shape.vertices[middle & low][:, 1].min())
        return Limbs(neck, shoulder, chest, waist, hip, crotch, knee, ankle)

    def slices(self, chosen: np.ndarray, frame: Frame) -> Slices:
        """Of the part whose vertices are `chosen` (V,) bool."""
        edges = self.body.edges
        return Slices(self.shape.vertices, edges[chosen[edges].all(1)], frame)

    @cached_property
    def trunk(self) -> Slices:
        """Trunk, neck and legs, from the ground up."""
        return self.slices((self.of_arms < 0.5) & ~self.body.eyes, _UPRIGHT)

    @cached_property
    def arms(self) -> dict[str, tuple[Slices, Frame, float]]:
        """The left and the right arm, by side; see `_arm`."""
        return {side: self._arm(side) for side in SIDES}

    @cached_property
    def halves(self) -> dict[str, Slices]:
        """Each leg with its half of the hips."""
        return {side: self._half(side) for side in SIDES}

    def _arm(self, side: str) -> tuple[Slices, Frame, float]:
        """An arm from the shoulder on, its axes and the length to the wrist."""
        sign = SIDES[side]
        start, wrist = self.joint(f"upperarm_{side}"), self.joint(f"hand_{side}")
        along = np.array([sign * math.sin(BIND_SPREAD), -math.cos(BIND_SPREAD), 0])
        aside = np.array([sign * math.cos(BIND_SPREAD), math.sin(BIND_SPREAD), 0])
        frame = Frame(start, along, np.array([0.0, 0, 1]), aside)
        own = self.shape.vertices[:, 0] * sign > 0
        return self.slices((self.of_arms > 0.5) & own, frame), frame, float((wrist - start) @ along)

    def _half(self, side: str) -> Slices:
        """One leg with its half of the hips."""
        own = self.shape.vertices[:, 0] * SIDES[side] > -_END
        return self.slices((self.of_arms < 0.5) & own & ~self.body.eyes, _UPRIGHT)

    def skin(self, weights: dict[str, np.ndarray]) -> Skin:
        """The four strongest of the bones' weights (V,), normalised."""
        names = list(weights)
        table = np.stack([weights[name] for name in names], 1)
        order = np.argsort(-table, axis=1, kind="stable")[:, :4]
        bones = np.array([self.body.bone(name) for name in names])[order]
        values = np.take_along_axis(table, order, 1)
        values = values / values.sum(1, keepdims=True)
        if values.shape[1] < 4:
            missing = ((0, 0), (0, 4 - values.shape[1]))
            values, bones = np.pad(values, missing), np.pad(bones, missing)
        return Skin(bones, values.astype(np.float32))


_UPRIGHT = Frame(np.zeros(3), np.array([0.0, 1, 0]), np.array([0.0, 0, 1]), np.array([1.0, 0, 0]))


def upright_frame() -> Frame:
    """Axes of trunk and legs: up, ahead, to the left."""
    return _UPRIGHT


def raised(outline: Rings, frame: Frame) -> np.ndarray:
    """(R, C, 3) points of the rings in the person's frame."""
    cosines, sines = circle(outline.radii.shape[1] - 1)
    ahead = outline.middles[:, :1] + outline.radii * cosines
    aside = outline.middles[:, 1:] + outline.radii * sines
    along = np.broadcast_to(outline.stations[:, None], ahead.shape)
    return (
        frame.origin
        + along[..., None] * frame.along
        + ahead[..., None] * frame.ahead
        + aside[..., None] * frame.aside
    )


def ramp(values: np.ndarray, start: float, end: float) -> np.ndarray:
    """0 up to `start`, 1 from `end` on, smooth between; `end` may be the smaller."""
    part = np.clip((values - start) / (end - start), 0, 1)
    return part * part * (3 - 2 * part)
