"""Moments: what changes between two views of one person."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.world.body import SIDES
from pipeline.world.people import Identity
from pipeline.world.poses import ARMS, Pose, standing, walking, with_arm, with_head

Rng = np.random.Generator

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
"""What people do, and how often, in per cent."""

_OPEN = 0.45  # chance that a jacket is open
_HOOD_UP = 0.12


@dataclass(frozen=True)
class Look:
    """A person's posture and what they have on and with them just now."""

    pose: Pose
    activity: str = "walking"
    side: str = "r"
    """Of the hand that does something, or of the child."""
    creases: int = 0
    """Seed of the folds."""
    jacket_open: float = 0.0
    """Metres between the edges of an open jacket; 0: closed."""
    hood_up: bool = False


def draw_look(rng: Rng, identity: Identity, activity: str | None = None) -> Look:
    """A random moment; `activity` is one of `ACTIVITIES`, random if None."""
    if activity is None:
        names = list(ACTIVITIES)
        chances = np.array([ACTIVITIES[name] for name in names], np.float64)
        activity = names[int(rng.choice(len(names), p=chances / chances.sum()))]
    if identity.shape.age < 0 and activity in ("child", "baby", "riding", "wheeling", "scooter"):
        activity = "walking"
    side = "l" if rng.random() < 0.5 else "r"
    if identity.bag is not None and identity.bag.kind == "hand":
        side = "l" if identity.bag.side == "r" else "r"
    opened = identity.outer is not None and rng.random() < _OPEN
    return Look(
        pose=_doing(rng, _basis(rng, activity), identity, activity, side),
        activity=activity,
        side=side,
        creases=int(rng.integers(1 << 16)),
        jacket_open=float(rng.uniform(0.05, 0.2)) if opened else 0.0,
        hood_up=_has_hood(identity) and bool(rng.random() < _HOOD_UP),
    )


def _has_hood(identity: Identity) -> bool:
    return (identity.outer or identity.top).hood and identity.headwear is None


_STILL = {"standing": 1.0, "phone": 0.5, "calling": 0.4, "pockets": 0.4, "cup": 0.4, "baby": 0.5,
          "suitcase": 0.2, "shopping": 0.2, "folder": 0.3, "wheeling": 0.3}  # fmt: skip
"""Chance of standing, by activity; 0.1 for the others."""


def _basis(rng: Rng, activity: str) -> Pose:
    """Legs and trunk: a step, or standing."""
    if rng.random() < _STILL.get(activity, 0.1):
        return standing(float(rng.uniform(-1, 1)))
    stride = float(np.clip(rng.normal(0.85, 0.15), 0.4, 1.1))
    swing, lean = float(rng.uniform(0.3, 1.1)), float(rng.uniform(0, 0.08))
    return walking(float(rng.random()), stride, swing, lean)


def _doing(rng: Rng, pose: Pose, identity: Identity, activity: str, side: str) -> Pose:
    """`pose` with the arms and the head of an activity."""
    other = "l" if side == "r" else "r"
    if identity.bag is not None and identity.bag.kind == "hand":
        pose = with_arm(pose, identity.bag.side, ARMS["hanging"])
    single = {"phone": "phone", "calling": "ear", "cup": "cup", "strap": "strap",
              "folder": "folder", "shopping": "hanging", "briefcase": "hanging",
              "guitar": "folder", "skateboard": "folder", "umbrella": "cup", "suitcase": "pulling",
              "child": "leading", "baby": "child"}  # fmt: skip
    if activity in single:
        pose = with_arm(pose, side, ARMS[single[activity]])
    if activity == "pockets":
        pose = with_arm(pose, side, ARMS["pocket"])
        if rng.random() < 0.7:
            pose = with_arm(pose, other, ARMS["pocket"])
    if activity in ("box", "wheeling"):
        limb = ARMS["box" if activity == "box" else "pushing"]
        pose = with_arm(with_arm(pose, "l", limb), "r", limb)
    yaw = float(rng.normal(0, 0.2))
    lowered = 0.45 if activity == "phone" else float(rng.normal(0.08, 0.1))
    if activity == "calling":
        return replace(pose, head=(lowered, yaw, 0.12 * SIDES[side]))
    return with_head(pose, lowered, yaw)
