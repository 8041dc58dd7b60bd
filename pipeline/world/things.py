"""Things held in the hands, and how each is held, by activity."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipeline.world import Rng, carried
from pipeline.world.body import SIDES
from pipeline.world.carried import Carried
from pipeline.world.finishes import pick
from pipeline.world.meshes import moved, rotation, transformed
from pipeline.world.solids import box, ellipsoid
from pipeline.world.surfaces import PART, Mesh

_LOWEST_GRIP = 0.55  # metres: minimum height of the hand that pulls a case
_LEAN_BACK = rotation(1, 180) @ rotation(0, -35)  # the display of a phone faces the eyes
_AHEAD = rotation(1, 90)  # the long side points ahead

Placing = Callable[[Carried, np.ndarray, str], Mesh]
"""Places a thing; see `hold`."""


def make_thing(activity: str, rng: Rng) -> Carried | None:
    """Make the thing held in an activity; None if nothing is held."""
    return _HELD[activity].make(rng) if activity in _HELD else None


def hold(thing: Carried, activity: str, hands: np.ndarray, side: str) -> Mesh:
    """Place the thing in the hands, in the person's frame.

    `hands` (2, 3) are the left and the right hand; `side` ("l" or "r") is the active one.
    """
    return _HELD[activity].place(thing, hands, side)


def _at(thing: Carried, grip: np.ndarray, turn: np.ndarray) -> Mesh:
    """Rotate the thing by `turn` (3, 3) and move its grip to `grip` (3,)."""
    return transformed(thing.mesh, turn, grip - turn @ thing.grip)


def _hand(hands: np.ndarray, side: str) -> np.ndarray:
    return hands[list(SIDES).index(side)]


def _in_hand(turn: np.ndarray, offset: tuple[float, float, float] = (0, 0, 0)) -> Placing:
    """Rotate the thing by `turn` (3, 3); hold it at `offset` in metres from the hand."""
    return lambda thing, hands, side: _at(thing, _hand(hands, side) + offset, turn)


def _at_ear(thing: Carried, hands: np.ndarray, side: str) -> Mesh:
    turn = rotation(1, -90 * SIDES[side]) @ rotation(2, 20 * SIDES[side])
    return _at(thing, _hand(hands, side), turn)


def _between(thing: Carried, hands: np.ndarray, side: str) -> Mesh:
    return _at(thing, hands.mean(0) + np.array([0, -0.06, -0.09]), np.eye(3))


def _pulled(thing: Carried, hands: np.ndarray, side: str) -> Mesh:
    """Lean a case on its wheels towards the hand."""
    grip = _hand(hands, side)
    low = max(float(grip[1]), _LOWEST_GRIP)
    lean = rotation(0, math.degrees(math.acos(min(1.0, low / float(thing.grip[1])))))
    leaning, at = transformed(thing.mesh, lean), lean @ thing.grip
    sunk = float(leaning.vertices[:, 1].min())
    return moved(leaning, x=float(grip[0] - at[0]), y=-sunk, z=float(grip[2] - at[2]))


def _cup(rng: Rng) -> Carried:
    paper = pick(rng, ("#d8d5cc", "#d8d5cc", "#7d5c3c", "#2f4a38"))
    return _carried(ellipsoid((0.04, 0.062, 0.04), (0, 0, 0), paper, 4, 8, 0.5), (0, -0.03, -0.02))


def _folder(rng: Rng) -> Carried:
    cover = pick(rng, ("#1f3f6e", "#7a2a25", "#d9d5c9", "#25282c", "#3f6245"))
    return _carried(box((0.025, 0.24, 0.31), (0, 0, 0), cover), (0, 0.08, -0.03))


def _carried(mesh: Mesh, grip: tuple[float, float, float]) -> Carried:
    mesh.parts[:] = PART["carried"]
    return Carried(mesh, np.array(grip, np.float32))


class _Held(NamedTuple):
    make: Callable[[Rng], Carried]
    place: Placing


_HANGING, _UPRIGHT = _in_hand(_AHEAD, (0, -0.03, 0)), _in_hand(np.eye(3))

_HELD = {
    "phone": _Held(carried.phone, _in_hand(_LEAN_BACK, (0, 0.04, 0.02))),
    "calling": _Held(carried.phone, _at_ear),
    "cup": _Held(_cup, _UPRIGHT),
    "folder": _Held(_folder, _UPRIGHT),
    "shopping": _Held(carried.hand_bag, _HANGING),
    "briefcase": _Held(carried.briefcase, _HANGING),
    "guitar": _Held(carried.guitar_case, _HANGING),
    "skateboard": _Held(carried.skateboard, _HANGING),
    "umbrella": _Held(carried.open_umbrella, _UPRIGHT),
    "suitcase": _Held(carried.suitcase, _pulled),
    "box": _Held(carried.parcel, _between),
}
"""By activity."""
