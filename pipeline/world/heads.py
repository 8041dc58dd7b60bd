"""What is on a head: hair, caps, hoods and scarves, as shells around the skull."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.world.body import Skin
from pipeline.world.clothes import Piece, tube_piece
from pipeline.world.noise import fractal_noise
from pipeline.world.patterns import Fabric
from pipeline.world.tubes import Tailor, circle, ramp

_COLUMNS = 24
_POLAR = np.radians([4, 18, 32, 46, 60, 73, 85, 96, 106])
"""Angles from the crown of the rings on the skull."""
_DROP_STEP = 0.035  # metres between the rings below
_HEAD = 0.145
"""Metres from the head's joint to the crown on the average body: the unit of `Shell.level`."""


@dataclass(frozen=True)
class Hair:
    """A haircut."""

    style: str
    """"bald", "short", "crop", "bob", "long", "tail" or "bun"."""
    fabric: Fabric
    top: float
    """Metres of hair on the crown."""
    sides: float
    """Metres of hair above the ears."""
    length: float = 0.0
    """Metres that it falls below the ears."""
    hairline: float = 0.72
    """Where it begins above the forehead, between head joint (0) and crown (1)."""
    fringe: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Headwear:
    """A cap, beanie, hat or scarf."""

    kind: str
    fabric: Fabric


@dataclass(frozen=True)
class Shell:
    """R rings of points around a head, from the crown down."""

    vertices: np.ndarray
    """(R, C, 3) float64."""
    level: np.ndarray
    """(R, C) height: 0 at the head's joint, 1 at the crown."""
    turn: np.ndarray
    """(C,) radians from the front, to the left."""
    skull: int
    """Number of rings on the skull; the others hang below."""


class Skull:
    """The convex outline of one head."""

    def __init__(self, tailor: Tailor) -> None:
        self.tailor = tailor
        body, vertices = tailor.body, tailor.shape.vertices.astype(np.float64)
        own = (body.weight_of("head") > 0.6) & (np.abs(vertices[:, 0]) < 0.08)
        self.points = vertices[own]
        self.joint = tailor.joint("head")
        self.crown = float(vertices[:, 1].max())
        self.unit = self.crown - self.joint[1]
        above = self.points[self.points[:, 1] > self.joint[1]]
        middle = (above.min(0) + above.max(0)) / 2
        self.centre = np.array([0, self.joint[1] + 0.35 * self.unit, middle[2] - 0.004])

    def shell(self, thickness: np.ndarray, drop: float, spread: float = 0.0) -> Shell:
        """Rings `thickness` (9, C) metres off the skull, then hanging `drop` metres."""
        directions = _directions()
        radii = self._radii(directions) + thickness
        on_skull = self.centre + radii[..., None] * directions
        rows = max(2, round(drop / _DROP_STEP)) if drop > 0 else 0
        falls = np.linspace(0, drop, rows + 1)[1:, None, None]
        last = on_skull[-1]
        outwards = last - self.centre
        outwards[:, 1] = 0
        hanging = last + spread * falls * outwards / self.unit - falls * np.array([0, 1.0, 0])
        hanging = self._clear_of_back(hanging)
        vertices = np.concatenate([on_skull, hanging])
        level = (vertices[..., 1] - self.joint[1]) / self.unit
        cosines, sines = circle(_COLUMNS)
        return Shell(vertices, level, np.arctan2(sines, cosines), len(on_skull))

    def _radii(self, directions: np.ndarray) -> np.ndarray:
        """(9, C) distance from the centre to the convex outline."""
        flat = directions.reshape(-1, 3)
        support = np.full(len(flat), -np.inf)
        moved = self.points - self.centre
        for x, y, z in moved:  # few: keeps the memory small
            support = np.maximum(support, flat[:, 0] * x + flat[:, 1] * y + flat[:, 2] * z)
        facing = (flat[:, None] * flat).sum(2)
        bounds = np.where(facing > 0.4, support / np.maximum(facing, 0.4), np.inf)
        return bounds.min(1).reshape(directions.shape[:2])

    def _clear_of_back(self, hanging: np.ndarray) -> np.ndarray:
        """Hair that hangs behind moves out to where the back is."""
        if not len(hanging):
            return hanging
        vertices = self.tailor.shape.vertices
        trunk = (self.tailor.arms < 0.3) & (np.abs(vertices[:, 0]) < 0.09)
        y, z = vertices[trunk, 1], vertices[trunk, 2]
        result = hanging.copy()
        for row in range(len(hanging)):
            near = np.abs(y - hanging[row, 0, 1]) < 0.03
            if near.any():
                back, front = float(z[near].min()) - 0.03, float(z[near].max()) + 0.03
                behind = hanging[row, :, 2] < self.centre[2] - 0.02
                aside = np.abs(hanging[row, :, 0]) < 0.13
                result[row, behind & aside, 2] = np.minimum(hanging[row, :, 2], back)[
                    behind & aside
                ]
                ahead = ~behind & aside & (hanging[row, :, 1] < self.joint[1] - self.unit)
                result[row, ahead, 2] = np.maximum(hanging[row, :, 2], front)[ahead]
        return result

    def skin(self, shell: Shell) -> Skin:
        """The skull's rings move with the head, those below more and more with the back."""
        tailor = self.tailor
        y = shell.vertices[..., 1].ravel()
        at = tailor.heights
        head = ramp(y, at.neck - 0.02, float(self.joint[1]) - 0.02)
        return tailor.skin(
            {
                "head": head,
                "neck_01": 0.3 * (1 - head),
                "spine_03": 0.7 * (1 - head),
            }
        )


def _directions() -> np.ndarray:
    """(9, C, 3) unit vectors, ring by ring from the crown."""
    cosines, sines = circle(_COLUMNS)
    out, up = np.sin(_POLAR)[:, None], np.cos(_POLAR)[:, None]
    return np.stack([out * sines, up + 0 * sines, out * cosines], 2).round(9)


def hair_pieces(skull: Skull, hair: Hair) -> list[Piece]:
    """The cap of hair, and a tail or bun."""
    if hair.style == "bald":
        return []
    rng = np.random.default_rng(hair.seed)
    rows = len(_POLAR)
    lumps = fractal_noise(rng, 64, 2, octaves=4, gain=0.7)
    tuft = lumps[np.arange(rows)[:, None] * 5 % 64, np.arange(_COLUMNS + 1) % _COLUMNS * 5 % 64]
    down = np.cos(_POLAR)[:, None].clip(0, 1)
    thickness = hair.sides + (hair.top - hair.sides) * down
    thickness = thickness * (1 + 0.22 * tuft) + 0.002
    shell = skull.shell(thickness, hair.length, spread=0.12)
    cut = _hairline(shell, hair, lumps)
    piece = tube_piece(
        "hair",
        shell.vertices,
        skull.skin(shell),
        hair.fabric,
        np.full(1, 0.002),
        cut,
        outward=False,
        two_sided=hair.length > 0,
    )
    return [piece]


def _hairline(shell: Shell, hair: Hair, lumps: np.ndarray) -> np.ndarray:
    """(R, C) metres above the lower edge of the hair."""
    turn = np.abs(shell.turn)
    degrees = [0, 25, 42, 58, 68, 76, 84, 100, 118, 180]
    front = hair.hairline - (0.24 if hair.fringe else 0)
    low = -0.28 if hair.length == 0 else -9.0
    side = 0.25 if hair.length == 0 else -9.0
    above = 0.12 + min(side, 0)
    line = np.interp(
        np.degrees(turn),
        degrees,
        [front, front, front - 0.08, front - 0.2, side - 0.15, above, above + 0.3, above, low, low],
    )
    columns = np.arange(len(turn)) % (len(turn) - 1)
    noise = lumps[(columns * 9) % 64, 11]
    edge = 0.05 * noise
    return (shell.level - line - edge) * _HEAD


def headwear_pieces(skull: Skull, wear: Headwear, room: float) -> list[Piece]:
    """A hat over hair that is `room` metres thick."""
    line = {"beanie": 0.36, "cap": 0.55}.get(wear.kind, 0.5)
    thickness = np.full((len(_POLAR), _COLUMNS + 1), min(room, 0.02) + 0.008)
    if wear.kind == "beanie":
        thickness += 0.018 * np.cos(_POLAR)[:, None].clip(0, 1) ** 2
    shell = skull.shell(thickness, 0.0)
    cut = (shell.level - line + 0.12 * np.cos(shell.turn) * (wear.kind == "beanie") * -1) * _HEAD
    return [
        tube_piece(
            "headwear",
            shell.vertices,
            skull.skin(shell),
            wear.fabric,
            np.full(1, 0.002),
            cut,
            outward=False,
        )
    ]
