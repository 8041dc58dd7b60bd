"""Headwear: caps, beanies, hats, scarves and hoods."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.world.clothes import Piece, rigid_piece
from pipeline.world.finishes import Finish
from pipeline.world.hair import Hair
from pipeline.world.patterns import Fabric
from pipeline.world.skull import HEAD_HEIGHT, TURN, UPWARD, Skull
from pipeline.world.solids import loft, tube


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
    """Make the curved visor of a cap."""
    turns = np.linspace(-0.75, 0.75, 7)
    inner = np.stack([skull.at(float(turn), 0.5, 0.012) for turn in turns])
    inner[:, 1] = inner[3, 1]
    reach = 0.075 * np.cos(turns)[:, None] ** 0.5
    outer = inner + reach * np.array([0, -0.3, 1]) + np.array([0, -0.012, 0]) * turns[:, None] ** 2
    return _plate(skull, inner, outer, wear)


def _brim(skull: Skull, wear: Headwear) -> Piece:
    """Make the brim of a hat."""
    turns = np.linspace(-math.pi, math.pi, 17)
    inner = np.stack([skull.at(float(turn), 0.5, 0.008) for turn in turns])
    inner[:, 1] = inner[:, 1].mean()
    outwards = np.stack([np.sin(turns), np.full(17, -0.12), np.cos(turns)], 1)
    return _plate(skull, inner, inner + 0.065 * outwards, wear)


def _plate(skull: Skull, inner: np.ndarray, outer: np.ndarray, wear: Headwear) -> Piece:
    """Make a stiff sheet between two lines (N, 3)."""
    lower = np.array([0, -0.006, 0])
    lines = [inner, outer, outer + lower, inner + lower]
    mesh = loft(lines, Finish((1, 1, 1)), open_ring=True)
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
    mesh = tube(path, radii, Finish((1, 1, 1)), sides=8)
    return rigid_piece(name, mesh, tailor, "spine_03", fabric)
