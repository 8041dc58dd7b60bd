"""Things in hands: where they are, and how they are turned, for each activity."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pipeline.world import carried
from pipeline.world.body import SIDES
from pipeline.world.carried import Carried
from pipeline.world.finishes import pick
from pipeline.world.meshes import box, ellipsoid, moved, rotation, transformed
from pipeline.world.surfaces import PART, Mesh

Rng = np.random.Generator

_LOWEST_GRIP = 0.55  # metres: a lower hand does not pull a case
_PHONE_TILT = -35.0  # degrees: the display faces the eyes
_UNDER_KNUCKLES = np.array([0.0, -0.03, 0.0])


def thing(activity: str, rng: Rng, hands: np.ndarray, side: str) -> Mesh | None:
    """What `hands` (2, 3), the left and the right one, hold in an activity; None: nothing.

    In the person's frame; `side` is "l" or "r".
    """
    make = _MAKERS.get(activity)
    return None if make is None else make(rng, hands, side)


def _at(thing_: Carried, grip: np.ndarray, turn: np.ndarray) -> Mesh:
    """The thing turned by `turn` (3, 3), its grip at `grip` (3,)."""
    return transformed(thing_.mesh, turn, grip - turn @ thing_.grip)


def _hand(hands: np.ndarray, side: str) -> np.ndarray:
    return hands[list(SIDES).index(side)]


def _phone_seen(rng: Rng, hands: np.ndarray, side: str) -> Mesh:
    turn = rotation(1, 180) @ rotation(0, _PHONE_TILT)
    return _at(carried.phone(rng), _hand(hands, side) + np.array([0, 0.04, 0.02]), turn)


def _phone_heard(rng: Rng, hands: np.ndarray, side: str) -> Mesh:
    turn = rotation(1, -90 * SIDES[side]) @ rotation(2, 20 * SIDES[side])
    return _at(carried.phone(rng), _hand(hands, side), turn)


def _hanging(make: Callable[[Rng], Carried]) -> Callable[[Rng, np.ndarray, str], Mesh]:
    """What hangs from a hand, its long side ahead."""

    def hang(rng: Rng, hands: np.ndarray, side: str) -> Mesh:
        grip = _hand(hands, side) + _UNDER_KNUCKLES
        return _at(make(rng), grip, rotation(1, float(90 + rng.normal(0, 12))))

    return hang


def _upright(make: Callable[[Rng], Carried]) -> Callable[[Rng, np.ndarray, str], Mesh]:
    """What a hand holds up."""

    def hold(rng: Rng, hands: np.ndarray, side: str) -> Mesh:
        return _at(make(rng), _hand(hands, side), rotation(0, float(rng.normal(-4, 4))))

    return hold


def _suitcase(rng: Rng, hands: np.ndarray, side: str) -> Mesh:
    """A case that stands behind, or leans towards the hand that pulls it."""
    case, grip = carried.suitcase(rng), _hand(hands, side)
    low = max(float(grip[1]), _LOWEST_GRIP)
    lean = math.degrees(math.acos(min(1.0, low / float(case.grip[1]))))
    leaning = transformed(case.mesh, rotation(0, lean))
    at = rotation(0, lean) @ case.grip
    sunk = float(leaning.vertices[:, 1].min())
    return moved(leaning, x=float(grip[0] - at[0]), y=-sunk, z=float(grip[2] - at[2]))


def _parcel(rng: Rng, hands: np.ndarray, side: str) -> Mesh:
    return _at(carried.parcel(rng), hands.mean(0) + np.array([0, -0.06, -0.09]), np.eye(3))


def _cup(rng: Rng, hands: np.ndarray, side: str) -> Mesh:
    paper = pick(rng, ("#d8d5cc", "#d8d5cc", "#7d5c3c", "#2f4a38"))
    cup = ellipsoid((0.04, 0.062, 0.04), (0, 0, 0), paper, 4, 8, 0.5)
    return _labelled(moved(cup, *(_hand(hands, side) + np.array([0, 0.03, 0.02]))))


def _folder(rng: Rng, hands: np.ndarray, side: str) -> Mesh:
    cover = pick(rng, ("#1f3f6e", "#7a2a25", "#d9d5c9", "#25282c", "#3f6245"))
    papers = box((0.025, 0.24, 0.31), (0, -0.08, 0.03), cover)
    return _labelled(moved(papers, *_hand(hands, side)))


def _labelled(mesh: Mesh) -> Mesh:
    mesh.parts[:] = PART["carried"]
    return mesh


_MAKERS: dict[str, Callable[[Rng, np.ndarray, str], Mesh]] = {
    "phone": _phone_seen,
    "calling": _phone_heard,
    "cup": _cup,
    "folder": _folder,
    "shopping": _hanging(carried.hand_bag),
    "briefcase": _hanging(carried.briefcase),
    "guitar": _hanging(carried.guitar_case),
    "skateboard": _hanging(carried.skateboard),
    "umbrella": _upright(carried.open_umbrella),
    "suitcase": _suitcase,
    "box": _parcel,
}
"""By activity."""
