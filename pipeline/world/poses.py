"""Poses: directions of the limbs and rotations of the trunk, for a body of any shape."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pipeline.world.body import AHEAD, BIND_SPREAD, DOWN, LEFT, SIDES, Body, frame

Turn = tuple[float, float, float]
"""Pitch (forwards), yaw (to the left) and roll (to the left) in radians."""


class Arm(NamedTuple):
    """Directions in the chest's frame, for a left arm; a right one is mirrored."""

    upper: np.ndarray
    lower: np.ndarray
    hinge: np.ndarray
    """Axis of the elbow: rotating `upper` about it bends the arm."""
    roll: float = 0.0
    """Radians by which the hand turns inwards about the forearm."""
    grip: float = 0.5
    """Radians by which each joint of the fingers bends."""


class Leg(NamedTuple):
    """Directions in the person's frame, for a left leg; a right one is mirrored."""

    upper: np.ndarray
    lower: np.ndarray
    foot: float = 0.0
    """Radians between sole and ground: above 0 the heel is lifted."""
    toes: float = 0.0
    """Radians between toes and ground."""
    outwards: float = 0.12
    """Radians by which the foot turns out."""


@dataclass(frozen=True)
class Pose:
    """Limbs and trunk of a whole body."""

    arms: tuple[Arm, ...]
    """Left, right."""
    legs: tuple[Leg, ...]
    pelvis: Turn = (0, 0, 0)
    chest: Turn = (0, 0, 0)
    head: Turn = (0, 0, 0)
    """In the chest's frame."""
    seat: np.ndarray | None = None
    """(3,) position of the pelvis; None: the lowest point stands on the ground."""


def arm(
    forwards: float, outwards: float = 0.15, bend: float = 0.25, inwards: float = 0.12,
    roll: float = 0.0, grip: float = 0.5,
) -> Arm:  # fmt: skip
    """Return an arm by its angles in radians: upper arm, elbow (`bend`), forearm (`inwards`)."""
    upper, straight = _hanging(forwards, outwards)
    hinge = about(upper, inwards) @ -straight
    return Arm(upper, about(hinge, bend) @ upper, hinge, roll, grip)


def leg(
    forwards: float, outwards: float = 0.03, bend: float = 0.05, foot: float = 0.0,
    toes: float = 0.0,
) -> Leg:  # fmt: skip
    """Return a leg by its angles in radians: thigh, knee (`bend`), sole and toes to the ground."""
    upper, hinge = _hanging(forwards, outwards)
    return Leg(upper, about(hinge, bend) @ upper, foot, toes)


def _hanging(forwards: float, outwards: float) -> tuple[np.ndarray, np.ndarray]:
    """Rotate a left limb that hangs down; return its direction and the axis to its left."""
    turn = about(AHEAD, outwards) @ about(LEFT, -forwards)
    return turn @ DOWN, turn @ LEFT


def reach(
    goal: np.ndarray, lengths: tuple[float, float], joint: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return unit directions of the upper and lower limb that reach for `goal` (two-bone IK).

    `goal` (3,) is relative to the limb's start; a goal out of reach is approached. The elbow or
    knee points towards `joint` (3,).
    """
    upper, lower = lengths
    nearest, farthest = abs(upper - lower) + 1e-3, upper + lower - 1e-3
    distance = min(max(float(np.linalg.norm(goal)), nearest), farthest)
    along, across, _ = frame(goal, joint).T
    cosine = (upper**2 + distance**2 - lower**2) / (2 * upper * distance)
    elbow = upper * (cosine * along + math.sqrt(max(1 - cosine**2, 0)) * across)
    rest = distance * along - elbow
    return elbow / upper, rest / np.linalg.norm(rest)


def rotations(body: Body, pose: Pose) -> np.ndarray:
    """Return the rotation (B, 3, 3) of each bone from the bind pose, in the person's frame."""
    pelvis, chest = turn_matrix(pose.pelvis), turn_matrix(pose.chest)
    head = chest @ turn_matrix(pose.head)
    turns = {"pelvis": pelvis, "spine_03": chest, "head": head}
    for number, name in ((1, "spine_01"), (2, "spine_02")):
        turns[name] = turn_matrix(_interpolated(pose.pelvis, pose.chest, number / 3))
    turns["neck_01"] = chest @ turn_matrix(_interpolated((0, 0, 0), pose.head, 0.5))
    for (side, sign), arm_, leg_ in zip(SIDES.items(), pose.arms, pose.legs, strict=True):
        turns |= {f"{name}_{side}": turn for name, turn in _arm_turns(arm_, sign, chest).items()}
        turns |= {f"{name}_{side}": turn for name, turn in _leg_turns(leg_, sign).items()}
    return np.stack([turns[name] for name in body.bones])


def _arm_turns(limb: Arm, sign: int, chest: np.ndarray) -> dict[str, np.ndarray]:
    along = np.array([sign * math.sin(BIND_SPREAD), -math.cos(BIND_SPREAD), 0])
    bind = frame(along, np.cross(along, AHEAD)).T
    upper, lower = _mirrored(limb.upper, sign), _mirrored(limb.lower, sign)
    hinge = sign * _mirrored(limb.hinge, sign)  # a rotation axis mirrors with its sign changed
    fore = chest @ frame(lower, hinge) @ bind
    hand = fore @ about(along, -sign * limb.roll)
    first = hand @ about(AHEAD, -sign * limb.grip)
    raised = max(0.0, float(upper[1]) + 0.5)  # the collar bone follows a lifted arm
    return {
        "clavicle": chest @ about(AHEAD, sign * 0.3 * raised),
        "upperarm": chest @ frame(upper, hinge) @ bind,
        "lowerarm": fore,
        "hand": hand,
        "middle_01": first,
        "middle_02": first @ about(AHEAD, -sign * limb.grip),
    }


def _leg_turns(limb: Leg, sign: int) -> dict[str, np.ndarray]:
    bind = frame(DOWN, LEFT).T
    outwards = about(-DOWN, sign * limb.outwards)
    across = about(-DOWN, sign * 0.5 * limb.outwards) @ LEFT
    return {
        "thigh": frame(_mirrored(limb.upper, sign), across) @ bind,
        "calf": frame(_mirrored(limb.lower, sign), across) @ bind,
        "foot": outwards @ about(LEFT, limb.foot),
        "ball": outwards @ about(LEFT, limb.toes),
    }


def _mirrored(vector: np.ndarray, sign: int) -> np.ndarray:
    return vector * np.array([sign, 1, 1])


def _interpolated(start: Turn, end: Turn, fraction: float) -> Turn:
    pitch, yaw, roll = (a + fraction * (b - a) for a, b in zip(start, end, strict=True))
    return pitch, yaw, roll


def turn_matrix(turn: Turn) -> np.ndarray:
    """Return the rotation (3, 3): roll, then pitch, then yaw."""
    pitch, yaw, roll = turn
    return about(-DOWN, yaw) @ about(LEFT, pitch) @ about(AHEAD, -roll)


def about(axis: np.ndarray, angle: float) -> np.ndarray:
    """Return the rotation (3, 3) by `angle` radians about the unit vector `axis`."""
    x, y, z = axis.tolist()
    s, c = math.sin(angle), math.cos(angle)
    d = 1 - c
    return np.array(
        [
            [c + d * x * x, d * x * y - s * z, d * x * z + s * y],
            [d * x * y + s * z, c + d * y * y, d * y * z - s * x],
            [d * x * z - s * y, d * y * z + s * x, c + d * z * z],
        ]
    )


_PHASES = np.linspace(0, 1, 11)
_HIP = np.radians([26, 23, 15, 6, -4, -11, -3, 14, 26, 29, 26])
_KNEE = np.radians([5, 16, 17, 11, 8, 15, 38, 60, 52, 20, 5])
_SOLE = np.radians([-18, -2, 0, 0, 3, 18, 48, 42, 8, -12, -18])
_TOES = np.radians([-18, -2, 0, 0, 0, 2, 22, 34, 6, -12, -18])
"""Joint angles over a gait cycle from heel strike to heel strike, after Perry's gait analysis."""


def walking(phase: float, stride: float = 1.0, swing: float = 1.0, lean: float = 0.04) -> Pose:
    """Return a walking pose at `phase` 0 to 1 of the left leg's gait cycle.

    `stride` and `swing` scale the movement of legs and arms, which hang straight at 0.
    """
    wave = math.cos(2 * math.pi * phase)  # 1: the left leg is in front
    return Pose(
        arms=tuple(_swinging_arm(-sign * wave, swing * stride) for sign in SIDES.values()),
        legs=tuple(_walking_leg(phase + shift, stride) for shift in (0.0, 0.5)),
        pelvis=(0.5 * lean, -0.09 * stride * wave, 0),
        chest=(lean, 0.08 * stride * wave, 0),
        head=(0.05, -0.07 * stride * wave, 0),
    )


def _swinging_arm(forwards: float, swing: float) -> Arm:
    bend = 0.28 + 0.25 * swing * max(forwards, 0) + 0.1 * forwards * swing
    return arm(0.02 + 0.34 * swing * forwards, 0.16, bend, 0.12)


def _walking_leg(phase: float, stride: float) -> Leg:
    hip, knee, sole, toes = (
        float(np.interp(phase % 1, _PHASES, curve)) for curve in (_HIP, _KNEE, _SOLE, _TOES)
    )
    bend = 0.05 + stride * (knee - 0.05)
    return leg(stride * hip, 0.02, bend, stride * sole, stride * toes)


def standing(weight: float = 0.0) -> Pose:
    """Return an upright pose; `weight` -1 to 1 shifts the body onto the left or right leg."""
    relaxed = max(weight, 0), max(-weight, 0)
    return Pose(
        arms=(arm(0.05), arm(0.02)),
        legs=tuple(leg(0.22 * free, 0.05 + 0.05 * free, 0.05 + 0.4 * free) for free in relaxed),
        pelvis=(0, 0, 0.06 * weight),
        chest=(0, 0, -0.03 * weight),
        head=(0.08, 0, 0.02 * weight),
    )


def sitting(seat: np.ndarray) -> Pose:
    """Return the pose of a carried child with its pelvis at `seat` (3,)."""
    legs = leg(1.15, 0.45, 1.1, 0.5, 0.5)
    return Pose(arms=(arm(0.9, 0.2, 0.8), arm(0.7, 0.2, 0.9)), legs=(legs, legs), seat=seat)


def with_arm(pose: Pose, side: str, limb: Arm) -> Pose:
    """Replace the left ("l") or right ("r") arm of `pose`."""
    left, right = pose.arms
    return replace(pose, arms=(limb, right) if side == "l" else (left, limb))


ARMS = {
    "phone": arm(0.35, 0.12, 1.85, 0.55, roll=-0.7, grip=0.7),
    "ear": arm(0.75, 0.45, 2.45, 0.35, grip=0.7),
    "pocket": arm(-0.32, 0.36, 0.75, 0.75, roll=0.3, grip=0.3),
    "hanging": arm(0.03, 0.1, 0.1, 0.1, grip=0.9),
    "box": arm(0.3, 0.12, 1.35, -0.05, grip=0.6),
    "cup": arm(0.3, 0.15, 1.6, 0.35, grip=0.8),
    "strap": arm(0.15, 0.28, 2.35, 0.25, roll=-0.6, grip=1.0),
    "pulling": arm(-0.42, 0.16, 0.12, 0.1, grip=1.1),
    "pushing": arm(0.55, 0.1, 0.75, 0.1, roll=-1.0, grip=1.1),
    "child": arm(0.35, 0.2, 1.75, 0.8, grip=0.4),
    "leading": arm(0.2, 0.3, 0.2, 0.1, grip=0.9),
    "folder": arm(0.05, 0.16, 0.35, 0.2, grip=1.0),
}
"""Arm poses by action."""
