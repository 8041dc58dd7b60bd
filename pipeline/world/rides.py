"""Riders: a kick scooter, and the pose of a person on a vehicle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pipeline.world.body import AHEAD, DOWN, SIDES, Body, BodyShape, attached
from pipeline.world.cycles import Ridden
from pipeline.world.finishes import BLACK_PLASTIC, RUBBER, pick
from pipeline.world.meshes import join, moved, rotation, transformed
from pipeline.world.poses import Arm, Leg, Pose, arm, leg, reach, turn_matrix
from pipeline.world.solids import box, torus, tube
from pipeline.world.surfaces import PART

_HIPS = np.array([0.0, 0.09, 0.03])  # from the saddle to the pelvis
_ANKLE = np.array([-0.02, 0.1, -0.1])  # from a pedal to the left ankle
_WRIST = np.array([0.0, 0.035, -0.07])  # from a grip to the wrist
_DECK = 0.13  # metres: height of a scooter's deck
_BENT = 0.03  # metres by which bent legs lower the hips

BoneTransforms = Callable[[Pose], np.ndarray]
"""Returns the transforms (bones, 3, 4) of the bones in a pose."""


def scooter(rng: np.random.Generator, hips: float) -> Ridden:
    """Draw a kick scooter for a person with the pelvis `hips` metres above the ground.

    It has no saddle: `Ridden.saddle` is the point that puts the rider's hips at standing height.
    """
    paint = pick(rng, ("#1f2022", "#34383c", "#2f8a6a", "#8c8f92", "#c8c6c0"), 0.3)
    bar, front = 0.62 * (hips + _DECK) + 0.42, 0.46
    wheel = transformed(torus(0.085, 0.028, (0, 0, 0), RUBBER, 16, 5), rotation(1, 90))
    stem = [(0, 0.11, front), (0, 0.2, front - 0.02), (0, bar, front - 0.1)]
    handle = [(0.24, bar, front - 0.12), (-0.24, bar, front - 0.12)]
    mesh = join(
        *(moved(wheel, y=0.11, z=z) for z in (-0.42, front)),
        box((0.16, 0.05, 0.62), (0, _DECK - 0.025, -0.08), paint, 0.01),
        tube(stem, 0.022, paint, sides=6),
        tube(handle, 0.014, BLACK_PLASTIC, sides=6),
    )
    return Ridden(
        replace(mesh, parts=np.full(len(mesh.triangles), PART["vehicle"], np.uint8)),
        saddle=np.array([0, hips + _DECK - _BENT, 0]) - _HIPS,
        grips=np.array([[sign * 0.22, bar, front - 0.12] for sign in SIDES.values()]),
        pedals=np.array([[0.05, _DECK, 0.2], [-0.05, _DECK, -0.08]]),
    )


def riding(
    body: Body,
    shape: BodyShape,
    bone_transforms: BoneTransforms,
    ride: Ridden,
    pitch: float,
    heel: float,
) -> Pose:
    """Return the pose of a rider who leans by `pitch` and lifts the heels by `heel` radians."""
    pose = Pose(
        arms=(arm(0.5), arm(0.5)),
        legs=(leg(0.5), leg(0.5)),
        pelvis=(0.6 * pitch, 0, 0),
        chest=(pitch, 0, 0),
        head=(-0.7 * pitch, 0, 0),
        seat=ride.saddle + _HIPS,
    )
    rider = _Rider(body, shape, bone_transforms(pose))
    arms = [rider.arm(s, grip, pose.chest) for s, grip in zip(SIDES, ride.grips, strict=True)]
    legs = [rider.leg(s, pedal, heel) for s, pedal in zip(SIDES, ride.pedals, strict=True)]
    return replace(pose, arms=tuple(arms), legs=tuple(legs))


class _Rider:
    """Inverse kinematics of the limbs of one body; `transforms` (B, 3, 4) pose its trunk."""

    def __init__(self, body: Body, shape: BodyShape, transforms: np.ndarray) -> None:
        self.body, self.transforms = body, transforms
        self.joints = shape.joints.astype(np.float64)

    def _limb(self, side: str, *bones: str) -> tuple[np.ndarray, tuple[float, float]]:
        """Return the posed start of a limb and the lengths of its two bones."""
        first, second, third = (self.body.bone(f"{bone}_{side}") for bone in bones)
        upper, lower = np.diff(self.joints[[first, second, third]], axis=0)
        start = attached(self.joints[first], self.transforms[first])
        return start, (float(np.linalg.norm(upper)), float(np.linalg.norm(lower)))

    def arm(self, side: str, grip: np.ndarray, chest: tuple[float, float, float]) -> Arm:
        start, lengths = self._limb(side, "upperarm", "lowerarm", "hand")
        goal = (turn_matrix(chest).T @ (grip + _WRIST - start)) * (SIDES[side], 1, 1)
        upper, lower = reach(goal, lengths, np.array([0.6, -1.0, -0.2]))
        return Arm(upper, lower, np.cross(upper, lower), roll=-1.0, grip=1.1)

    def leg(self, side: str, pedal: np.ndarray, heel: float) -> Leg:
        start, lengths = self._limb(side, "thigh", "calf", "foot")
        goal = (pedal - start) * (SIDES[side], 1, 1) + _ANKLE
        upper, lower = reach(goal, lengths, AHEAD - 0.2 * DOWN)
        return Leg(upper, lower, heel, heel, 0.05)
