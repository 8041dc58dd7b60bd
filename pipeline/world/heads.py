"""What is on a head: hair, caps, hoods and scarves, as shells around the skull."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from pipeline.world.body import Skin
from pipeline.world.clothes import Piece, rigid_piece, tube_piece
from pipeline.world.finishes import Finish
from pipeline.world.noise import fractal_noise
from pipeline.world.patterns import Fabric, Strands
from pipeline.world.solids import ellipsoid, loft, tube
from pipeline.world.tubes import Tailor, circle, ramp, smoothed

_COLUMNS = 28
_POLAR = np.radians([0, 15, 29, 42, 54, 65, 75, 84, 92, 100, 108])
"""Angles from the crown of the rings on the skull."""
_DROP_STEP = 0.04  # metres between the rings below
_HEAD = 0.145
"""Metres from the head's joint to the crown on the average body."""
_LOCKS = 64  # side of the noise that parts hair into locks


@dataclass(frozen=True)
class Hair:
    """A haircut."""

    style: str
    """"bald", "short", "crop", "bob", "long", "tail" or "bun"."""
    strands: Strands
    top: float
    """Metres of hair on the crown."""
    sides: float
    """Metres of hair above the ears."""
    length: float = 0.0
    """Metres that it falls below the ears."""
    hairline: float = 0.72
    """Where it begins above the forehead, between head joint (0) and crown (1)."""
    fringe: bool = False
    parting: float = 0.0
    """-1 to 1: on which side it is higher."""
    seed: int = 0


@dataclass(frozen=True)
class Headwear:
    """A cap, beanie, hat or scarf."""

    kind: str
    """"cap", "beanie", "hat" or "scarf"."""
    fabric: Fabric


@dataclass(frozen=True)
class Shell:
    """R rings of C points around a head, from the crown down."""

    vertices: np.ndarray
    """(R, C, 3) float64."""
    level: np.ndarray
    """(R, C) height: 0 at the head's joint, 1 at the crown."""


class Skull:
    """The convex outline of one head."""

    def __init__(self, tailor: Tailor) -> None:
        self.tailor = tailor
        vertices = tailor.shape.vertices.astype(np.float64)
        own = (tailor.body.weight_of("head") > 0.6) & (np.abs(vertices[:, 0]) < 0.08)
        own &= ~tailor.body.eyes
        points = vertices[own]
        self.joint = tailor.joint("head")
        self.unit = float(vertices[:, 1].max() - self.joint[1])
        """Metres from the joint to the crown."""
        above = points[points[:, 1] > self.joint[1]]
        depth = (above[:, 2].min() + above[:, 2].max()) / 2
        self.centre = np.array([0, self.joint[1] + 0.35 * self.unit, depth - 0.004])
        self.radii = _hull_radii(points - self.centre)
        """(R, C) metres from the centre to the convex outline."""

    def level(self, vertices: np.ndarray) -> np.ndarray:
        """Height: 0 at the head's joint, 1 at the crown."""
        return (vertices[..., 1] - self.joint[1]) / self.unit

    def at(self, turn: float, level: float, gap: float = 0.0) -> np.ndarray:
        """(3,) the point `gap` metres off the skull at `turn` radians from the front."""
        column = round((turn / math.pi + 1) / 2 * _COLUMNS)
        heights = self.level(self.centre + self.radii[..., None] * _DIRECTIONS)[:, column]
        row = int(np.abs(heights - level).argmin())
        return self.centre + (self.radii[row, column] + gap) * _DIRECTIONS[row, column]

    def shell(self, thickness: np.ndarray, drop: float, spread: float = 0.0) -> Shell:
        """Rings `thickness` (R, C) metres off the skull, then hanging `drop` metres."""
        on_skull = self.centre + (self.radii + thickness)[..., None] * _DIRECTIONS
        rows = max(2, round(drop / _DROP_STEP)) if drop > 0 else 0
        falls = np.linspace(0, drop, rows + 1)[1:, None, None]
        last = on_skull[-1]
        outwards = (last - self.centre) * np.array([1, 0, 1])
        hanging = last + spread * falls * outwards / self.unit - falls * np.array([0, 1.0, 0])
        vertices = np.concatenate([on_skull, self._clear_of_back(hanging)])
        if rows:
            flowing = smoothed(smoothed(vertices[..., 2]))
            vertices[len(on_skull) - 3 :, :, 2] = flowing[len(on_skull) - 3 :]
        return Shell(vertices, self.level(vertices))

    def _clear_of_back(self, hanging: np.ndarray) -> np.ndarray:
        """Hair that hangs behind moves out to where the back is."""
        vertices = self.tailor.shape.vertices
        trunk = (self.tailor.of_arms < 0.3) & (np.abs(vertices[:, 0]) < 0.09)
        y, z = vertices[trunk, 1], vertices[trunk, 2]
        for ring in hanging:
            near = np.abs(y - ring[0, 1]) < 0.03
            if near.any():
                back, front = float(z[near].min()) - 0.035, float(z[near].max()) + 0.035
                behind = ring[:, 2] < self.centre[2] - 0.02
                low = ring[:, 1] < self.joint[1] - self.unit
                depth = np.where(behind, np.minimum(ring[:, 2], back), ring[:, 2])
                ring[:, 2] = np.where(~behind & low, np.maximum(depth, front), depth)
        return hanging

    def skin(self, vertices: np.ndarray) -> Skin:
        """The skull's rings move with the head, those below more and more with the back."""
        y = vertices[..., 1].ravel()
        head = ramp(y, self.tailor.heights.neck - 0.02, float(self.joint[1]) - 0.02)
        below = 1 - head
        return self.tailor.skin({"head": head, "neck_01": 0.3 * below, "spine_03": 0.7 * below})


def _directions() -> np.ndarray:
    """(R, C, 3) unit vectors, ring by ring from the crown."""
    cosines, sines = circle(_COLUMNS)
    out, up = np.sin(_POLAR)[:, None], np.cos(_POLAR)[:, None]
    return np.stack([out * sines, up + 0 * sines, out * cosines], 2).round(9)


_DIRECTIONS = _directions()
_TURN = np.linspace(-math.pi, math.pi, _COLUMNS + 1)
_UPWARD = np.cos(_POLAR)[:, None].clip(0, 1)


_FLAT = _DIRECTIONS.reshape(-1, 3).T
_FACING = sum(axis[:, None] * axis for axis in _FLAT)
_MIN_FACING = 0.4  # cosine: flatter supporting planes do not bound the skull


def _hull_radii(points: np.ndarray) -> np.ndarray:
    """(R, C) distance from the origin to the convex outline of `points` (N, 3)."""
    x, y, z = points.T
    supports = [
        (ring[:, :1] * x + ring[:, 1:2] * y + ring[:, 2:] * z).max(1) for ring in _DIRECTIONS
    ]
    support = np.concatenate(supports)
    limits = np.maximum(_FACING, _MIN_FACING)
    bounds = np.where(_FACING > _MIN_FACING, support / limits, np.inf)
    return bounds.min(1).reshape(_DIRECTIONS.shape[:2])


# ------------------------------------------------------------------------------- hair


def hair_pieces(skull: Skull, hair: Hair) -> list[Piece]:
    """The hair on the skull, and a tail or bun."""
    if hair.style == "bald":
        return []
    pieces = [_cap_of_hair(skull, hair)]
    if hair.style == "tail":
        pieces.append(_tail(skull, hair))
    if hair.style == "bun":
        knot = ellipsoid((0.042, 0.04, 0.036), skull.at(math.pi, 0.75, 0.025), Finish((1, 1, 1)))
        pieces.append(rigid_piece("hair", knot, skull.tailor, "head", hair.strands))
    return pieces


def _cap_of_hair(skull: Skull, hair: Hair) -> Piece:
    locks = fractal_noise(np.random.default_rng(hair.seed), _LOCKS, 2, octaves=5, gain=0.85)
    around = np.arange(_COLUMNS + 1) % _COLUMNS * 11 % _LOCKS
    tufts = locks[np.arange(len(_POLAR))[:, None] * 7 % _LOCKS, around] * np.sin(_POLAR)[:, None]
    line = _hairline(hair) + 0.06 * locks[5, around]
    level = skull.level(skull.centre + skull.radii[..., None] * _DIRECTIONS)
    thickness = hair.sides + (hair.top - hair.sides) * _UPWARD
    thickness = (
        thickness
        * (1 + hair.parting * 0.4 * np.sin(_TURN) * np.sin(_POLAR)[:, None])
        * (1 + 0.25 * tufts)
    )
    thickness = 0.003 + thickness * ramp(level - line, -0.05, 0.22)
    shell = skull.shell(thickness, hair.length, spread=0.12)
    vertices = _parted(shell.vertices, skull.centre, locks[17, around])
    return tube_piece(
        "hair",
        vertices,
        skull.skin(vertices),
        hair.strands,
        np.zeros(1),
        _hair_cut(shell, line, hair),
        outward=False,
        two_sided=hair.length > 0,
    )


def _hairline(hair: Hair) -> np.ndarray:
    """(C,) level of the lower edge all around; very low where the hair falls."""
    degrees = [0, 25, 42, 56, 68, 78, 88, 104, 118, 132, 180]
    front = hair.hairline - (0.22 if hair.fringe else 0)
    line = [front, front, front - 0.04, front - 0.14, 0.3, 0.16, 0.5, 0.46, 0.1, -0.2, -0.26]
    if hair.length > 0:
        line[4:] = [0.2, -0.2, *[-9.0] * 5]
    return np.interp(np.degrees(np.abs(_TURN)), degrees, line)


def _hair_cut(shell: Shell, line: np.ndarray, hair: Hair) -> np.ndarray:
    """(R, C) metres above the lower edge; locks end at different heights."""
    rows, columns = shell.level.shape
    cut = (shell.level - line) * _HEAD
    if hair.length > 0:
        hem = shell.level[-1] + 0.35 * ramp(np.abs(_TURN), 2.6, 1.2)
        hem = hem + 0.12 * np.sin(_TURN * 7 + hair.seed)
        cut = np.minimum(cut, (shell.level - hem) * _HEAD)
    return cut.reshape(rows, columns)


def _parted(vertices: np.ndarray, centre: np.ndarray, locks: np.ndarray) -> np.ndarray:
    """Vertices of hair that hangs, moved in and out lock by lock."""
    outwards = (vertices - centre) * np.array([1, 0, 1])
    below = ramp(vertices[..., 1], centre[1], centre[1] - 0.1)
    return vertices + outwards * (0.09 * below * locks)[..., None]


def _tail(skull: Skull, hair: Hair) -> Piece:
    """A pony tail from the back of the head down."""
    start = skull.at(math.pi, 0.62, 0.0)
    length = 0.14 + 0.006 * (hair.seed % 20)
    falls = np.array([0, 0.1, 0.3, 0.6, 0.85, 1.0])
    away = np.array([-0.01, 0.03, 0.05, 0.045, 0.03, 0.02])
    path = start + np.stack([0 * falls, 0.02 - falls * length, -away], 1)
    radii = np.array([0.014, 0.02, 0.03, 0.028, 0.02, 0.006])
    mesh = tube(path, radii, Finish((1, 1, 1)), sides=8)
    return rigid_piece("hair", mesh, skull.tailor, "head", hair.strands)


# ------------------------------------------------------------------------------- headwear


def headwear_pieces(skull: Skull, wear: Headwear, hair: Hair) -> list[Piece]:
    """What is worn over the hair."""
    room = min(hair.top, 0.018)
    if wear.kind == "beanie":
        return [_beanie(skull, wear.fabric, room)]
    if wear.kind == "scarf":
        return [hood_up(skull, wear.fabric, 0.012, drop=0.16, name="headwear")]
    crown = _shell_piece(skull, wear.fabric, room + 0.008, 0.45 - 0.08 * np.cos(_TURN))
    brim = _visor(skull, wear) if wear.kind == "cap" else _brim(skull, wear)
    return [crown, brim]


def squashed(hair: Hair) -> Hair:
    """Hair below a hat."""
    return replace(hair, top=min(hair.top, 0.009), sides=min(hair.sides, 0.009), parting=0.0)


def _beanie(skull: Skull, fabric: Fabric, room: float) -> Piece:
    thickness = room + 0.006 + 0.02 * _UPWARD**3
    level = 0.32 + 0.14 * np.cos(_TURN)
    return _shell_piece(skull, fabric, thickness, level)


def _shell_piece(
    skull: Skull, fabric: Fabric, thickness: float | np.ndarray, line: np.ndarray
) -> Piece:
    """A cover of the skull down to level `line` (C,)."""
    shell = skull.shell(np.broadcast_to(thickness, skull.radii.shape), 0.0)
    cut = (shell.level - line) * _HEAD
    skin = skull.skin(shell.vertices)
    return tube_piece("headwear", shell.vertices, skin, fabric, np.full(1, 0.0015), cut, False)


def _visor(skull: Skull, wear: Headwear) -> Piece:
    """The visor of a cap, as a curved plate."""
    turns = np.linspace(-0.75, 0.75, 7)
    inner = np.stack([skull.at(float(turn), 0.5, 0.012) for turn in turns])
    inner[:, 1] = inner[3, 1]
    reach = 0.075 * np.cos(turns)[:, None] ** 0.5
    outer = inner + reach * np.array([0, -0.3, 1]) + np.array([0, -0.012, 0]) * turns[:, None] ** 2
    lower = np.array([0, -0.006, 0])
    rings = np.stack([inner, outer, outer + lower, inner + lower])
    return _plate(skull, rings, wear)


def _brim(skull: Skull, wear: Headwear) -> Piece:
    """The brim of a hat, all around."""
    turns = np.linspace(-math.pi, math.pi, 17)
    inner = np.stack([skull.at(float(turn), 0.5, 0.008) for turn in turns])
    inner[:, 1] = inner[:, 1].mean()
    outwards = np.stack([np.sin(turns), np.full(17, -0.12), np.cos(turns)], 1)
    lower = np.array([0, -0.006, 0])
    outer = inner + 0.065 * outwards
    return _plate(skull, np.stack([inner, outer, outer + lower, inner + lower]), wear)


def _plate(skull: Skull, rings: np.ndarray, wear: Headwear) -> Piece:
    mesh = loft(rings, Finish((1, 1, 1)), open_ring=True)
    return rigid_piece("headwear", mesh, skull.tailor, "head", wear.fabric)


def hood_up(skull: Skull, fabric: Fabric, room: float, drop: float, name: str) -> Piece:
    """Cloth around head and neck with an opening for the face."""
    thickness = room + 0.012 * _UPWARD + 0.012 * (np.cos(_TURN) < 0)
    shell = skull.shell(np.broadcast_to(thickness, skull.radii.shape), drop, spread=0.35)
    half = np.radians(52) * np.ones_like(shell.level)
    face = np.abs(_TURN) - half
    above, below = (shell.level - 0.8) * 1.5, (-0.62 - shell.level) * 1.5
    cut = np.maximum(np.maximum(face, above), below) * 0.08
    skin = skull.skin(shell.vertices)
    return tube_piece(name, shell.vertices, skin, fabric, np.full(1, 0.004), cut, False,
                      two_sided=True)  # fmt: skip


def hood_down(skull: Skull, fabric: Fabric, name: str) -> Piece:
    """A hood that lies on the back: a thick roll behind the neck."""
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
