"""Cloth as tubes around the body: rings that follow the convex hull of its cross-sections.

Cloth bridges hollows, so its outline is the hull of a cross-section plus some ease. It falls
straight below the widest cross-section.
"""

from __future__ import annotations

import math
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np

from pipeline.world.body import BIND_SPREAD, SIDES, Body, BodyShape, Skin

_END = 0.004  # metres from the end of a part to its outermost section
_MIN_FACING = 0.25  # see `hull_radii`


class Heights(NamedTuple):
    """Heights of joints and landmarks in the bind pose, in metres."""

    neck: float
    shoulder: float
    chest: float
    waist: float
    hip: float
    crotch: float
    knee: float
    ankle: float

    def hem(self, fraction: float) -> float:
        """Return the height of a hem: 0 at the hip joint, 1 at the knee, below 0 above the hip."""
        return self.hip - fraction * (self.hip - self.knee)

    def trouser_hem(self, fraction: float) -> float:
        """Return the height of the hem of a leg: 0 at the crotch, 1 at the ankle."""
        return self.crotch - fraction * (self.crotch - self.ankle)


class Frame(NamedTuple):
    """Axes of a tube: (3,) each; ring angles are measured from `ahead` towards `aside`."""

    origin: np.ndarray
    along: np.ndarray
    ahead: np.ndarray
    aside: np.ndarray


UPRIGHT = Frame(np.zeros(3), np.array([0.0, 1, 0]), np.array([0.0, 0, 1]), np.array([1.0, 0, 0]))
"""Axes of trunk and legs: up, ahead, to the left."""


class Slices:
    """Cross-sections of a part of the body."""

    def __init__(self, vertices: np.ndarray, edges: np.ndarray, frame: Frame) -> None:
        """Cut the part with the given `edges` (E, 2), indices of `vertices` (V, 3)."""
        local = (vertices.astype(np.float64) - frame.origin).T
        self._along, ahead, aside = (
            (axis[0] * local[0] + axis[1] * local[1] + axis[2] * local[2])[edges]
            for axis in (frame.along, frame.ahead, frame.aside)
        )  # (E, 2) each
        self._flat = np.stack([ahead, aside])  # (2, E, 2)
        self.low, self.high = float(self._along.min()), float(self._along.max())

    def points(self, stations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Intersect the edges with planes at `stations` (R,) metres along.

        Return points (2, N), ahead and aside, sorted by plane, and the first point (R,) of each.
        """
        before = self._along <= stations[:, None, None]  # (R, E, 2)
        plane, edge = np.nonzero(before[..., 0] != before[..., 1])
        start, end = self._along[edge].T
        part = (stations[plane] - start) / (end - start)
        flat = self._flat[:, edge]
        points = flat[..., 0] + part * (flat[..., 1] - flat[..., 0])
        return points, np.searchsorted(plane, np.arange(len(stations)))


class Rings(NamedTuple):
    """Outlines in polar coordinates about their centres."""

    stations: np.ndarray
    """(R,) metres along."""
    middles: np.ndarray
    """(R, 2) ahead and aside."""
    radii: np.ndarray
    """(R, C) metres in the directions of `unit_circle`."""

    def points(self, frame: Frame) -> np.ndarray:
        """Return the points (R, C, 3) in the person's frame."""
        cosines, sines = unit_circle(self.radii.shape[1] - 1)
        ahead = self.middles[:, :1] + self.radii * cosines
        aside = self.middles[:, 1:] + self.radii * sines
        along = np.broadcast_to(self.stations[:, None], ahead.shape)
        return (
            frame.origin
            + along[..., None] * frame.along
            + ahead[..., None] * frame.ahead
            + aside[..., None] * frame.aside
        )


@cache
def unit_circle(columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return cosines and sines (columns + 1,) of angles from -180 to 180 degrees inclusive."""
    angles = [math.pi * (2 * column / columns - 1) for column in range(columns + 1)]
    return np.cos(angles).round(9), np.sin(angles).round(9)


@cache
def _facing(columns: int) -> np.ndarray:
    """Return cosines (columns + 1, columns + 1) between the directions of `unit_circle`."""
    cosines, sines = unit_circle(columns)
    return cosines[:, None] * cosines + sines[:, None] * sines


def hull_radii(supports: np.ndarray, facing: np.ndarray, min_facing: float) -> np.ndarray:
    """Return the radii (..., C) of convex hulls from their support functions in C directions.

    `facing` (C, C) holds the cosines between directions; a supporting plane with a cosine of at
    most `min_facing` does not bound a radius.
    """
    limits = np.maximum(facing, min_facing)
    bounds = np.where(facing > min_facing, supports[..., None, :] / limits, np.inf)
    return bounds.min(-1)


def rings(slices: Slices, stations: np.ndarray, columns: int) -> Rings:
    """Return the hulls at `stations` (R,); beyond the part, its end repeats."""
    inside = np.clip(stations, slices.low + _END, slices.high - _END)
    points, first = slices.points(inside)
    low, high = np.minimum.reduceat(points, first, 1), np.maximum.reduceat(points, first, 1)
    middles = (low + high) / 2  # (2, R)
    counts = np.diff(np.append(first, points.shape[1]))
    ahead, aside = points - np.repeat(middles, counts, 1)
    cosines, sines = unit_circle(columns)
    reach = ahead[:, None] * cosines + aside[:, None] * sines
    supports = np.maximum.reduceat(reach, first, 0)
    return Rings(stations, middles.T, hull_radii(supports, _facing(columns), _MIN_FACING))


def smoothed(rows: np.ndarray) -> np.ndarray:
    """Average each of `rows` (R, K) with its neighbours, weights 1 2 1."""
    padded = np.concatenate([rows[:1], rows, rows[-1:]])
    return (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4


def limit_taper(radii: np.ndarray, steps: np.ndarray, taper: float) -> np.ndarray:
    """Widen `radii` (R, C) until they shrink by at most `taper` metres per metre.

    The cloth hangs from the first ring; `steps` (R,) are the distances to the previous ring.
    """
    result = radii.copy()
    for row in range(1, len(radii)):
        result[row] = np.maximum(radii[row], result[row - 1] - taper * steps[row])
    return result


class Tailor:
    """Measurements and cross-sections of one body in the bind pose."""

    def __init__(self, body: Body, shape: BodyShape) -> None:
        self.body, self.shape = body, shape
        self.arm_weight = body.weight_of("upperarm", "lowerarm", "hand", "middle")
        """(V,) total weight of the arm bones."""

    def joint(self, bone: str) -> np.ndarray:
        return self.shape.joints[self.body.bone(bone)].astype(np.float64)

    @cached_property
    def heights(self) -> Heights:
        bones = ("neck_01", "upperarm_l", "spine_03", "spine_02", "thigh_l", "calf_l", "foot_l")
        neck, shoulder, chest, waist, hip, knee, ankle = (
            float(self.joint(bone)[1]) for bone in bones
        )
        chest += 0.45 * (shoulder - chest)
        middle = np.abs(self.shape.vertices[:, 0]) < 0.02
        low = self.body.weight_of("pelvis", "thigh") > 0.5
        crotch = float(self.shape.vertices[middle & low][:, 1].min())
        return Heights(neck, shoulder, chest, waist, hip, crotch, knee, ankle)

    def slices(self, chosen: np.ndarray, frame: Frame) -> Slices:
        """Return the cross-sections of the part with the `chosen` vertices (V,) bool."""
        edges = self.body.edges
        return Slices(self.shape.vertices, edges[chosen[edges].all(1)], frame)

    @cached_property
    def trunk(self) -> Slices:
        """Trunk, neck and legs, from the ground up."""
        return self.slices((self.arm_weight < 0.5) & ~self.body.eyes, UPRIGHT)

    @cached_property
    def arms(self) -> dict[str, tuple[Slices, Frame, float]]:
        """Sections, frame and length to the wrist of each arm, from the shoulder."""
        return {side: self._arm(side) for side in SIDES}

    @cached_property
    def halves(self) -> dict[str, Slices]:
        """Sections of each leg with its half of the hips."""
        x, cloth = self.shape.vertices[:, 0], (self.arm_weight < 0.5) & ~self.body.eyes
        return {
            side: self.slices(cloth & (x * sign > -_END), UPRIGHT) for side, sign in SIDES.items()
        }

    def _arm(self, side: str) -> tuple[Slices, Frame, float]:
        sign = SIDES[side]
        start, wrist = self.joint(f"upperarm_{side}"), self.joint(f"hand_{side}")
        along = np.array([sign * math.sin(BIND_SPREAD), -math.cos(BIND_SPREAD), 0])
        aside = np.array([sign * math.cos(BIND_SPREAD), math.sin(BIND_SPREAD), 0])
        frame = Frame(start, along, np.array([0.0, 0, 1]), aside)
        own = (self.arm_weight > 0.5) & (self.shape.vertices[:, 0] * sign > 0)
        return self.slices(own, frame), frame, float((wrist - start) @ along)

    def skin(self, weights: dict[str, np.ndarray]) -> Skin:
        """Skin V vertices by `weights` (V,) of named bones: the four largest, normalised."""
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


def smoothstep(values: np.ndarray, start: float, end: float) -> np.ndarray:
    """Interpolate smoothly from 0 at `start` to 1 at `end`; `end` may be less than `start`."""
    part = np.clip((values - start) / (end - start), 0, 1)
    return part * part * (3 - 2 * part)
