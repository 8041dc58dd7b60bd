"""Bicycles and kick scooters that fit a rider, and how the rider sits or stands on them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pipeline.world.body import AHEAD, DOWN, SIDES, Body, BodyShape
from pipeline.world.finishes import BLACK_PLASTIC, PAINTS, RUBBER, STEEL, Finish, pick
from pipeline.world.meshes import box, ellipsoid, join, moved, rotation, torus, transformed, tube
from pipeline.world.poses import Arm, Leg, Pose, arm, leg, reach, reaching_arm, turned
from pipeline.world.surfaces import PART, Mesh

_WHEEL = 0.335  # metres: outer radius of a bicycle's wheels
_REAR, _FRONT = -0.46, 0.56  # metres from the pedals' axle to those of the wheels
_AXLE, _CRANK = 0.29, 0.17  # metres: height of the pedals' axle, length of a crank
_SADDLE = -0.2  # metres behind the pedals' axle
_HIP_ABOVE_SADDLE = 0.1
_PEDAL_AT = 0.09  # metres to each side
_ANKLE = np.array([0.02, 0.1, -0.1])  # from a pedal to the left ankle
_WRIST = np.array([0.0, 0.035, -0.07])  # from a grip to the wrist
_STRETCH = 0.96  # of a leg, at the lowest pedal
_DECK = 0.13  # metres: height of a scooter's deck

Moves = Callable[[Pose], np.ndarray]
"""The maps of the bones in a pose."""


class Ride(NamedTuple):
    """A vehicle in the rider's frame: it faces +z and stands on y = 0."""

    mesh: Mesh
    hips: np.ndarray
    """(3,) where the pelvis is."""
    grips: np.ndarray
    """(2, 3) for the left and the right hand."""
    pedals: np.ndarray | None
    """(2, 3) for the left and the right foot; None: the rider stands."""


def _bar(points: list[tuple[float, float, float]], radius: float, paint: Finish) -> Mesh:
    return tube(points, radius, paint, sides=6, capped=False)


def _painted(*parts: Mesh) -> Mesh:
    mesh = join(*parts)
    return replace(mesh, parts=np.full(len(mesh.triangles), PART["vehicle"], np.uint8))


def bicycle_for(rng: np.random.Generator, legs: float) -> Ride:
    """A bicycle whose saddle fits `legs` metres from hip to ankle."""
    paint = pick(rng, (*PAINTS, "#1f2022", "#34383c"), 0.35)
    turn = float(rng.uniform(0, 2 * math.pi))
    saddle_y = _AXLE - _CRANK + _ANKLE[1] + _STRETCH * legs - _HIP_ABOVE_SADDLE
    saddle = (0.0, saddle_y, _SADDLE)
    bar_y = saddle_y + float(rng.uniform(0.02, 0.18))
    bar_z = 0.33 - 0.6 * (bar_y - saddle_y)
    mesh = _painted(
        *_frame(paint, saddle, bar_y),
        *_handlebar(bar_y, bar_z),
        *(_wheel(z) for z in (_REAR, _FRONT)),
        *_cranks(turn),
    )
    grips = np.array([[sign * 0.27, bar_y, bar_z - 0.04] for sign in SIDES.values()])
    hips = np.array([0, saddle_y + _HIP_ABOVE_SADDLE, _SADDLE + 0.03])
    return Ride(mesh, hips, grips, np.stack([_pedal(turn, sign) for sign in SIDES.values()]))


def _frame(paint: Finish, saddle: tuple[float, float, float], bar_y: float) -> list[Mesh]:
    axle, head, low_head = (0.0, _AXLE, 0.0), (0.0, 0.8, 0.36), (0.0, 0.66, 0.41)
    seat = (0.0, 0.62, -0.13)
    parts = [
        _bar([axle, seat], 0.017, paint),
        _bar([seat, saddle], 0.013, STEEL),
        _bar([axle, low_head], 0.02, paint),
        _bar([seat, head], 0.017, paint),
        _bar([low_head, (0.0, bar_y, 0.33)], 0.017, paint),
        ellipsoid((0.07, 0.03, 0.12), saddle, BLACK_PLASTIC, 4, 8),
    ]
    for x in (-0.05, 0.05):
        parts.append(_bar([axle, (x, _WHEEL, _REAR), seat], 0.008, paint))
        parts.append(_bar([(x / 3, 0.66, 0.41), (x, _WHEEL, _FRONT)], 0.012, paint))
    return parts


def _handlebar(y: float, z: float) -> list[Mesh]:
    ends = [(sign * 0.3, y, z - 0.06) for sign in (1, -1)]
    return [_bar([ends[0], (0.1, y, z + 0.03), (-0.1, y, z + 0.03), ends[1]], 0.013, STEEL)]


def _wheel(z: float) -> Mesh:
    """A wheel in the plane x = 0."""
    tyre = torus(_WHEEL - 0.02, 0.02, (0, 0, 0), RUBBER, sides=22, around=4)
    spokes = []
    for step in range(9):
        x, y = math.cos(step * math.pi / 9), math.sin(step * math.pi / 9)
        reach_ = _WHEEL - 0.03
        ends = [(x * reach_, y * reach_, 0.0), (-x * reach_, -y * reach_, 0.0)]
        spokes.append(tube(ends, 0.0025, STEEL, sides=3, capped=False))
    return moved(transformed(join(tyre, *spokes), rotation(1, 90)), y=_WHEEL, z=z)


def _pedal(turn: float, sign: int) -> np.ndarray:
    """(3,) the middle of a pedal; the cranks are opposite."""
    y, z = sign * math.cos(turn), sign * math.sin(turn)
    return np.array([sign * _PEDAL_AT, _AXLE + _CRANK * y, _CRANK * z])


def _cranks(turn: float) -> list[Mesh]:
    parts = []
    for sign in SIDES.values():
        pedal = _pedal(turn, sign)
        hub = (sign * 0.05, _AXLE, 0.0)
        parts.append(_bar([hub, (sign * 0.05, float(pedal[1]), float(pedal[2]))], 0.01, STEEL))
        parts.append(box((0.09, 0.02, 0.08), pedal, BLACK_PLASTIC))
    return parts


def scooter_for(rng: np.random.Generator, hips: float) -> Ride:
    """A kick scooter for somebody whose pelvis is at `hips` metres when standing."""
    paint = pick(rng, ("#1f2022", "#34383c", "#2f8a6a", "#8c8f92", "#c8c6c0"), 0.3)
    bar_y, front = 0.62 * (hips + _DECK) + 0.42, 0.46
    wheel = transformed(torus(0.085, 0.028, (0, 0, 0), RUBBER, 16, 5), rotation(1, 90))
    wheels = [moved(wheel, y=0.11, z=z) for z in (-0.42, front)]
    mesh = _painted(
        *wheels,
        box((0.16, 0.05, 0.62), (0, _DECK - 0.025, -0.08), paint, 0.01),
        _bar([(0, 0.11, front), (0, 0.2, front - 0.02), (0, bar_y, front - 0.1)], 0.022, paint),
        _bar([(0.24, bar_y, front - 0.12), (-0.24, bar_y, front - 0.12)], 0.014, BLACK_PLASTIC),
    )
    grips = np.array([[sign * 0.22, bar_y, front - 0.12] for sign in SIDES.values()])
    return Ride(mesh, np.array([0, hips + _DECK - 0.02, 0.0]), grips, None)


def riding(body: Body, shape: BodyShape, moves: Moves, ride: Ride) -> Pose:
    """The pose of a rider; `moves` says where a pose takes the bones."""
    pitch = 0.35 if ride.pedals is not None else 0.08
    stands = (leg(0.2, 0.02, 0.25), leg(-0.12, 0.02, 0.2))
    pose = Pose(
        arms=(arm(0.5), arm(0.5)),
        legs=stands,
        pelvis=(0.6 * pitch, 0, 0),
        chest=(pitch, 0, 0),
        head=(-0.7 * pitch, 0, 0),
        seat=ride.hips,
    )
    maps = moves(pose)
    rider = _Rider(body, shape, maps)
    arms = tuple(rider.arm(side, ride.grips[row], pose.chest) for row, side in enumerate(SIDES))
    legs = stands
    if ride.pedals is not None:
        pedalling = [rider.leg(side, ride.pedals[row]) for row, side in enumerate(SIDES)]
        legs = (pedalling[0], pedalling[1])
    return replace(pose, arms=(arms[0], arms[1]), legs=legs)


class _Rider:
    """Where the limbs of a pose start, and how long they are."""

    def __init__(self, body: Body, shape: BodyShape, moves: np.ndarray) -> None:
        self.body, self.joints, self.moves = body, shape.joints.astype(np.float64), moves

    def _start(self, bone: str) -> np.ndarray:
        number = self.body.bone(bone)
        return self.moves[number, :, :3] @ self.joints[number] + self.moves[number, :, 3]

    def _lengths(self, *bones: str) -> tuple[float, float]:
        first, second, third = (self.joints[self.body.bone(bone)] for bone in bones)
        return float(np.linalg.norm(second - first)), float(np.linalg.norm(third - second))

    def arm(self, side: str, grip: np.ndarray, chest: tuple[float, float, float]) -> Arm:
        mirror = np.array([SIDES[side], 1, 1])
        goal = (turned(chest).T @ (grip + _WRIST - self._start(f"upperarm_{side}"))) * mirror
        lengths = self._lengths(f"upperarm_{side}", f"lowerarm_{side}", f"hand_{side}")
        return reaching_arm(goal, lengths, np.array([0.6, -1.0, -0.2]), roll=-1.0, grip=1.1)

    def leg(self, side: str, pedal: np.ndarray) -> Leg:
        mirror = np.array([SIDES[side], 1, 1])
        goal = (pedal - self._start(f"thigh_{side}")) * mirror + _ANKLE
        lengths = self._lengths(f"thigh_{side}", f"calf_{side}", f"foot_{side}")
        upper, lower = reach(goal, lengths, AHEAD - 0.2 * DOWN)
        return Leg(upper, lower, 0.15, 0.1, 0.05)
