"""The bag of an identity, fitted to its clothes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.world.body import SIDES
from pipeline.world.clothes import Piece, mesh_piece, rigid_piece
from pipeline.world.fabrics import Colour
from pipeline.world.finishes import Finish
from pipeline.world.garments import trunk_skin
from pipeline.world.materials import Painted
from pipeline.world.meshes import join, quads
from pipeline.world.solids import box, ellipsoid, tube
from pipeline.world.tubes import Tailor, smoothstep

_OFF_CLOTH = 0.012  # metres from the cloth to a strap
_STRAP_STEPS = 9
_HALF = 0.024  # metres: half the width of a backpack's straps


@dataclass(frozen=True)
class Bag:
    """A bag that is part of an identity."""

    kind: str
    """"backpack", "shoulder", "cross" (strap over the chest) or "hand"."""
    colour: Colour
    second: Colour
    """Colour of pockets and straps."""
    size: float
    """Scale: 1 is average."""
    side: str
    """Side on which it hangs, "l" or "r"."""


def bag_pieces(tailor: Tailor, bag: Bag, cloth: np.ndarray) -> list[Piece]:
    """Make the bag and its straps over `cloth` (R, C, 3), the rings of the outer upper garment."""
    make = {"backpack": _backpack, "shoulder": _shoulder_bag, "cross": _cross_bag, "hand": _handbag}
    return make[bag.kind](tailor, bag, cloth)


def _backpack(tailor: Tailor, bag: Bag, cloth: np.ndarray) -> list[Piece]:
    at, size = tailor.heights, bag.size
    middle = at.shoulder - 0.16
    back = float(_on_cloth(cloth, 0.0, middle, behind=True)[2])
    main, pocket = Finish(bag.colour, 0.08), Finish(bag.second, 0.08)
    centre = np.array([0, middle - 0.03, back - 0.075 * size])
    body = ellipsoid((0.15 * size, 0.225 * size, 0.1 * size), centre, main, 7, 12, 0.45)
    lower = centre - np.array([0, 0.08 * size, 0.075 * size])
    flap = ellipsoid((0.115 * size, 0.11 * size, 0.055 * size), lower, pocket, 5, 10, 0.5)
    handle = tube(
        centre + np.array([[-0.03, 0.21, 0.05], [0, 0.24, 0.05], [0.03, 0.21, 0.05]]) * size,
        0.008, pocket, sides=4,
    )  # fmt: skip
    straps = [_over_shoulder(tailor, cloth, sign * 0.1, bag.second) for sign in SIDES.values()]
    return [rigid_piece("bag", join(body, flap, handle), tailor, "spine_03"), *straps]


def _over_shoulder(tailor: Tailor, cloth: np.ndarray, x: float, colour: Colour) -> Piece:
    """Make a strap from the chest over the shoulder to the back."""
    at = tailor.heights
    top = _top_at(cloth, abs(x) + _HALF)
    low = at.chest - 0.14
    front = np.linspace(low, top, _STRAP_STEPS)
    aside = x * (1 + 0.7 * smoothstep(front, at.chest, low))  # ends below the arm
    behind = np.linspace(top, at.shoulder - 0.1, 4)
    path = [_on_cloth(cloth, a, y, behind=False) for a, y in zip(aside, front, strict=True)]
    path += [_on_cloth(cloth, x, y, behind=True) for y in behind]
    return _strap(tailor, np.stack(path), _HALF, colour)


def _cross_bag(tailor: Tailor, bag: Bag, cloth: np.ndarray) -> list[Piece]:
    at, sign = tailor.heights, SIDES[bag.side]
    hip = at.hip + 0.04
    ring = _ring(cloth, hip)
    wide = float(np.abs(ring[:, 0]).max())
    centre = (sign * (wide + 0.035), hip - 0.02, 0.02)
    mesh = ellipsoid((0.05, 0.1 * bag.size, 0.14 * bag.size), centre, Finish(bag.colour, 0.1),
                     5, 10, 0.6)  # fmt: skip
    flap = ellipsoid((0.04, 0.05 * bag.size, 0.12 * bag.size),
                     (centre[0] + sign * 0.018, hip + 0.02, 0.02), Finish(bag.second, 0.1),
                     4, 10, 0.6)  # fmt: skip
    start = -sign * 0.085
    strap = _diagonal(tailor, cloth, start, sign * wide, hip + 0.05, bag.second)
    return [rigid_piece("bag", join(mesh, flap), tailor, "pelvis"), strap]


def _diagonal(
    tailor: Tailor, cloth: np.ndarray, start: float, end: float, low: float, colour: Colour
) -> Piece:
    """Make a strap from x = `start` on a shoulder to x = `end` at height `low`, front and back."""
    top = _top_at(cloth, abs(start))
    down = np.linspace(0, 1, _STRAP_STEPS)
    path = [
        _on_cloth(cloth, start + t * (end - start), top + t * (low - top), behind)
        for behind, steps in ((False, down[::-1]), (True, down))
        for t in steps
    ]
    return _strap(tailor, np.stack(path), 0.016, colour)


def _shoulder_bag(tailor: Tailor, bag: Bag, cloth: np.ndarray) -> list[Piece]:
    at, sign = tailor.heights, SIDES[bag.side]
    y = at.waist + 0.02
    wide = float(np.abs(_ring(cloth, y)[:, 0]).max())
    centre = np.array([sign * (wide + 0.05), y, -0.05])
    mesh = ellipsoid((0.055, 0.13 * bag.size, 0.17 * bag.size), centre, Finish(bag.colour, 0.12),
                     6, 10, 0.6)  # fmt: skip
    shoulder = np.array([sign * 0.12, _top_at(cloth, 0.12) + 0.01, -0.01])
    up = centre + np.array([0, 0.12 * bag.size, 0])
    offsets = np.array([[0, 0, 0.07], [0, 0, 0.03], [0, 0, -0.03], [0, 0, -0.07]])
    path = np.stack([up, shoulder, shoulder, up]) + offsets
    strap = tube(path, 0.012, Finish(bag.second, 0.12), sides=5)
    return [rigid_piece("bag", join(mesh, strap), tailor, "spine_03")]


def _handbag(tailor: Tailor, bag: Bag, cloth: np.ndarray) -> list[Piece]:
    """Make a bag that hangs from a hand without rotating; see `Person`."""
    grip, size = tailor.joint(f"middle_01_{bag.side}") + np.array([0, -0.05, 0]), bag.size
    centre = grip - np.array([0, 0.26 * size, 0])
    body = box((0.11 * size, 0.24 * size, 0.3 * size), centre, Finish(bag.colour, 0.15), 0.02)
    arc = grip + size * np.array([[0, -0.15, 0.07], [0, -0.02, 0.045], [0, -0.02, -0.045],
                                  [0, -0.15, -0.07]])  # fmt: skip
    mesh = join(body, tube(arc, 0.008, Finish(bag.second, 0.15), sides=5))
    hanging = len(tailor.body.bones) + list(SIDES).index(bag.side)
    return [rigid_piece("bag", mesh, tailor, hanging)]


def _strap(tailor: Tailor, path: np.ndarray, half: float, colour: Colour) -> Piece:
    """Make a ribbon along `path` (N, 3), `half` metres to each side in x."""
    aside = np.array([half, 0, 0])
    vertices = np.stack([path - aside, path + aside], 1).reshape(-1, 3).astype(np.float32)
    triangles = quads(len(path), 2).astype(np.int32)
    skin = trunk_skin(tailor, vertices.astype(np.float64))
    uvw = np.tile(np.array(colour, np.float32), (len(vertices), 1))
    return mesh_piece("bag", vertices, triangles, skin, uvw, Painted(0.08), two_sided=True)


def _ring(cloth: np.ndarray, y: float) -> np.ndarray:
    """Return the ring (C, 3) of `cloth` nearest to height `y`."""
    return cloth[int(np.abs(cloth[:, 0, 1] - y).argmin())]


def _top_at(cloth: np.ndarray, x: float) -> float:
    """Return the maximum height at which the cloth is `x` wide to a side."""
    wide = np.abs(cloth[..., 0]).max(1) >= x
    return float(cloth[wide][:, 0, 1].max())


def _on_cloth(cloth: np.ndarray, x: float, y: float, behind: bool) -> np.ndarray:
    """Return the point (3,) just above the cloth at (x, y), in front or behind."""
    ring = _ring(cloth, y)
    half = ring[:, 2] < np.median(ring[:, 2])
    side = ring[half if behind else ~half]
    order = np.argsort(side[:, 0])
    z = float(np.interp(x, side[order, 0], side[order, 2]))
    x = float(np.clip(x, ring[:, 0].min() - _OFF_CLOTH, ring[:, 0].max() + _OFF_CLOTH))
    return np.array([x, y + _OFF_CLOTH / 2, z + (-_OFF_CLOTH if behind else _OFF_CLOTH)])
