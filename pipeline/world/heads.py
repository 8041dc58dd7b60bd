"""Hair and headwear on the skull."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from pipeline.world.clothes import Piece, rigid_piece
from pipeline.world.fabrics import Fabric
from pipeline.world.finishes import Finish
from pipeline.world.materials import Strands
from pipeline.world.noise import fractal_noise
from pipeline.world.skull import COLUMNS, HEAD_HEIGHT, POLAR, TURN, UPWARD, Skull
from pipeline.world.solids import ellipsoid, loft, tube
from pipeline.world.tubes import smoothstep

_LOCKS = 64  # side of the noise that divides hair into locks
_BLANK = Finish((1, 1, 1))  # of a mesh that a material covers


@dataclass(frozen=True)
class Hair:
    """A haircut."""

    style: str
    """"bald", "short", "crop", "bob", "long", "tail" or "bun"."""
    strands: Strands
    top: float
    """Thickness on the crown in metres."""
    sides: float
    """Thickness above the ears in metres."""
    length: float = 0.0
    """Metres that the hair falls below the ears."""
    hairline: float = 0.72
    """Level of the hairline at the forehead; see `Skull.level`."""
    fringe: bool = False
    parting: float = 0.0
    """-1 to 1: side on which the hair is higher."""
    seed: int = 0


def squashed(hair: Hair) -> Hair:
    """Flatten `hair` under a hat."""
    return replace(hair, top=min(hair.top, 0.009), sides=min(hair.sides, 0.009), parting=0.0)


def hair_pieces(skull: Skull, hair: Hair) -> list[Piece]:
    """Make the hair: nothing, or a cap with perhaps a tail or bun."""
    if hair.style == "bald":
        return []
    pieces = [_cap_of_hair(skull, hair)]
    if hair.style == "tail":
        pieces.append(_tail(skull, hair))
    if hair.style == "bun":
        knot = ellipsoid((0.042, 0.04, 0.036), skull.at(math.pi, 0.75, 0.025), _BLANK)
        pieces.append(rigid_piece("hair", knot, skull.tailor, "head", hair.strands))
    return pieces


def _cap_of_hair(skull: Skull, hair: Hair) -> Piece:
    locks = fractal_noise(np.random.default_rng(hair.seed), _LOCKS, 2, octaves=5, gain=0.85)
    around = np.arange(COLUMNS + 1) % COLUMNS * 11 % _LOCKS
    tufts = locks[np.arange(len(POLAR))[:, None] * 7 % _LOCKS, around] * np.sin(POLAR)[:, None]
    line = _hairline(hair) + 0.06 * locks[5, around]
    thickness = hair.sides + (hair.top - hair.sides) * UPWARD
    thickness = thickness * (1 + hair.parting * 0.4 * np.sin(TURN) * np.sin(POLAR)[:, None])
    thickness = thickness * (1 + 0.25 * tufts)
    thickness = 0.003 + thickness * smoothstep(skull.levels - line, -0.05, 0.22)
    rings = skull.shell(thickness, hair.length, spread=0.12)
    parted = _parted(rings, skull.centre, locks[17, around])
    cut = _hair_cut(skull.level(rings), line, hair)
    return skull.piece("hair", parted, hair.strands, cut, two_sided=hair.length > 0)


def _hairline(hair: Hair) -> np.ndarray:
    """Return the level (C,) of the hair's lower edge; far below the head where it hangs."""
    degrees = [0, 25, 42, 56, 68, 78, 88, 104, 118, 132, 180]
    front = hair.hairline - (0.22 if hair.fringe else 0)
    line = [front, front, front - 0.04, front - 0.14, 0.3, 0.16, 0.5, 0.46, 0.1, -0.2, -0.26]
    if hair.length > 0:
        line[4:] = [0.2, -0.2, *[-9.0] * 5]
    return np.interp(np.degrees(np.abs(TURN)), degrees, line)


def _hair_cut(level: np.ndarray, line: np.ndarray, hair: Hair) -> np.ndarray:
    """Return the metres (R, C) above the lower edge; locks end at different heights."""
    cut = (level - line) * HEAD_HEIGHT
    if hair.length > 0:
        hem = level[-1] + 0.35 * smoothstep(np.abs(TURN), 2.6, 1.2)
        hem = hem + 0.12 * np.sin(TURN * 7 + hair.seed)
        cut = np.minimum(cut, (level - hem) * HEAD_HEIGHT)
    return cut


def _parted(vertices: np.ndarray, centre: np.ndarray, locks: np.ndarray) -> np.ndarray:
    """Move hanging hair in and out, lock by lock."""
    outwards = (vertices - centre) * np.array([1, 0, 1])
    below = smoothstep(vertices[..., 1], centre[1], centre[1] - 0.1)
    return vertices + outwards * (0.09 * below * locks)[..., None]


def _tail(skull: Skull, hair: Hair) -> Piece:
    start = skull.at(math.pi, 0.62, 0.0)
    length = 0.14 + 0.006 * (hair.seed % 20)
    falls = np.array([0, 0.1, 0.3, 0.6, 0.85, 1.0])
    away = np.array([-0.01, 0.03, 0.05, 0.045, 0.03, 0.02])
    path = start + np.stack([0 * falls, 0.02 - falls * length, -away], 1)
    radii = np.array([0.014, 0.02, 0.03, 0.028, 0.02, 0.006])
    mesh = tube(path, radii, _BLANK, sides=8)
    return rigid_piece("hair", mesh, skull.tailor, "head", hair.strands)


@dataclass(frozen=True)
class Headwear:
    """A cap, beanie, hat or scarf."""

    kind: str
    """"cap", "beanie", "hat" or "scarf"."""
    fabric: Fabric


def headwear_pieces(skull: Skull, wear: Headwear, hair: Hair) -> list[Piece]:
    """Make headwear that fits over the hair."""
    room = min(hair.top, 0.018)
    if wear.kind == "scarf":
        return [hood_up(skull, wear.fabric, 0.012, drop=0.16, name="headwear")]
    if wear.kind == "beanie":
        thickness = room + 0.006 + 0.02 * UPWARD**3
        return [_crown(skull, wear.fabric, thickness, 0.32 + 0.14 * np.cos(TURN))]
    crown = _crown(skull, wear.fabric, room + 0.008, 0.45 - 0.08 * np.cos(TURN))
    return [crown, _visor(skull, wear) if wear.kind == "cap" else _brim(skull, wear)]


def _crown(skull: Skull, fabric: Fabric, thickness: float | np.ndarray, line: np.ndarray) -> Piece:
    """Cover the skull down to the levels `line` (C,)."""
    rings = skull.shell(thickness)
    cut = (skull.level(rings) - line) * HEAD_HEIGHT
    return skull.piece("headwear", rings, fabric, cut, folds=0.0015)


def _visor(skull: Skull, wear: Headwear) -> Piece:
    turns = np.linspace(-0.75, 0.75, 7)
    inner = np.stack([skull.at(float(turn), 0.5, 0.012) for turn in turns])
    inner[:, 1] = inner[3, 1]
    reach = 0.075 * np.cos(turns)[:, None] ** 0.5
    outer = inner + reach * np.array([0, -0.3, 1]) + np.array([0, -0.012, 0]) * turns[:, None] ** 2
    return _plate(skull, inner, outer, wear)


def _brim(skull: Skull, wear: Headwear) -> Piece:
    turns = np.linspace(-math.pi, math.pi, 17)
    inner = np.stack([skull.at(float(turn), 0.5, 0.008) for turn in turns])
    inner[:, 1] = inner[:, 1].mean()
    outwards = np.stack([np.sin(turns), np.full(17, -0.12), np.cos(turns)], 1)
    return _plate(skull, inner, inner + 0.065 * outwards, wear)


def _plate(skull: Skull, inner: np.ndarray, outer: np.ndarray, wear: Headwear) -> Piece:
    """Make a stiff sheet between two lines (N, 3)."""
    lower = np.array([0, -0.006, 0])
    lines = [inner, outer, outer + lower, inner + lower]
    mesh = loft(lines, _BLANK, open_ring=True)
    return rigid_piece("headwear", mesh, skull.tailor, "head", wear.fabric)


def hood_up(skull: Skull, fabric: Fabric, room: float, drop: float, name: str) -> Piece:
    """Make cloth around head and neck, open at the face."""
    thickness = room + 0.012 * UPWARD + 0.012 * (np.cos(TURN) < 0)
    rings = skull.shell(thickness, drop, spread=0.35)
    face, level = np.abs(TURN) - np.radians(52), skull.level(rings)
    cut = np.maximum(np.maximum(face, (level - 0.8) * 1.5), (-0.62 - level) * 1.5) * 0.08
    return skull.piece(name, rings, fabric, cut, folds=0.004, two_sided=True)


def hood_down(skull: Skull, fabric: Fabric, name: str) -> Piece:
    """Make a lowered hood: a thick roll behind the neck."""
    tailor = skull.tailor
    neck = tailor.joint("neck_01")
    turns = np.linspace(-2.3, 2.3, 11)
    wide = 0.088 + 0.012 * np.cos(turns)
    ahead = np.cos(turns)
    drop = 0.03 * ahead.clip(0, 1) + 0.045 * (-ahead).clip(0, 1)
    path = neck + np.stack([wide * np.sin(turns), 0.012 - drop, -wide * ahead], 1)
    radii = 0.014 + 0.034 * np.clip(np.cos(turns / 1.5), 0, 1) ** 2
    mesh = tube(path, radii, _BLANK, sides=8)
    return rigid_piece(name, mesh, tailor, "spine_03", fabric)
