"""Looks: what differs between two views of one person."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.world.body import SIDES
from pipeline.world.dyes import Rng, choice
from pipeline.world.people import Identity
from pipeline.world.poses import ARMS, Pose, standing, walking, with_arm

ACTIVITIES = {
    "walking": 46,
    "standing": 9,
    "phone": 8,
    "calling": 4,
    "pockets": 7,
    "strap": 3,
    "cup": 3,
    "folder": 3,
    "shopping": 4,
    "briefcase": 2,
    "umbrella": 1,
    "guitar": 0.5,
    "skateboard": 0.5,
    "suitcase": 4,
    "box": 2,
    "child": 2,
    "baby": 1,
    "riding": 3,
    "wheeling": 1,
    "scooter": 1,
}
"""Relative frequency of each activity."""

_OPEN = 0.45  # probability of an open jacket
_HOOD_UP = 0.12  # probability of a raised hood
_OTHER_SIDE = {"l": "r", "r": "l"}


@dataclass(frozen=True)
class Look:
    """The pose, activity and state of the clothes of a person in one view."""

    pose: Pose
    activity: str = "walking"
    side: str = "r"
    """Side of the active hand or of the child, "l" or "r"."""
    creases: int = 0
    """Random seed of the folds."""
    jacket_open: float = 0.0
    """Gap of an open jacket in metres; 0: closed."""
    hood_up: bool = False


def draw_look(rng: Rng, identity: Identity, activity: str | None = None) -> Look:
    """Draw a look; `activity` is one of `ACTIVITIES`, random if None."""
    if activity is None:
        activity = choice(rng, ACTIVITIES)
    if identity.shape.age < 0 and activity in ("child", "baby", "riding", "wheeling", "scooter"):
        activity = "walking"
    side = "l" if rng.random() < 0.5 else "r"
    if identity.handbag is not None:
        side = _OTHER_SIDE[identity.handbag.side]
    opened = identity.outer is not None and rng.random() < _OPEN
    hooded = (identity.outer or identity.top).hood and identity.headwear is None
    return Look(
        pose=_draw_pose(rng, identity, activity, side),
        activity=activity,
        side=side,
        creases=int(rng.integers(1 << 16)),
        jacket_open=float(rng.uniform(0.05, 0.2)) if opened else 0.0,
        hood_up=hooded and bool(rng.random() < _HOOD_UP),
    )


_STILL = {"standing": 1.0, "phone": 0.5, "calling": 0.4, "pockets": 0.4, "cup": 0.4, "baby": 0.5,
          "suitcase": 0.2, "shopping": 0.2, "folder": 0.3, "wheeling": 0.3}  # fmt: skip
"""Probability of standing by activity; 0.1 for the others."""

_ONE_ARM = {"phone": "phone", "calling": "ear", "pockets": "pocket", "cup": "cup",
            "strap": "strap", "folder": "folder", "shopping": "hanging", "briefcase": "hanging",
            "guitar": "folder", "skateboard": "folder", "umbrella": "cup", "suitcase": "pulling",
            "child": "leading", "baby": "child"}  # fmt: skip
_BOTH_ARMS = {"box": "box", "wheeling": "pushing"}
"""Names of `ARMS` by activity."""


def _draw_stance(rng: Rng, activity: str) -> Pose:
    if rng.random() < _STILL.get(activity, 0.1):
        return standing(float(rng.uniform(-1, 1)))
    stride = float(np.clip(rng.normal(0.85, 0.15), 0.4, 1.1))
    swing, lean = float(rng.uniform(0.3, 1.1)), float(rng.uniform(0, 0.08))
    return walking(float(rng.random()), stride, swing, lean)


def _draw_pose(rng: Rng, identity: Identity, activity: str, side: str) -> Pose:
    """Draw a pose with arms and head that suit the activity."""
    pose = _draw_stance(rng, activity)
    if identity.handbag is not None:
        pose = with_arm(pose, identity.handbag.side, ARMS["hanging"])
    if activity in _ONE_ARM:
        pose = with_arm(pose, side, ARMS[_ONE_ARM[activity]])
    if activity == "pockets" and rng.random() < 0.7:
        pose = with_arm(pose, _OTHER_SIDE[side], ARMS["pocket"])
    if activity in _BOTH_ARMS:
        limb = ARMS[_BOTH_ARMS[activity]]
        pose = with_arm(with_arm(pose, "l", limb), "r", limb)
    yaw = float(rng.normal(0, 0.2))
    lowered = 0.45 if activity == "phone" else float(rng.normal(0.08, 0.1))
    roll = 0.12 * SIDES[side] if activity == "calling" else 0.0
    return replace(pose, head=(lowered, yaw, roll))
