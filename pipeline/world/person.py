"""A person of one identity, who can be posed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.world.body import SIDES, Body
from pipeline.world.clothes import (
    Piece,
    Skirt,
    UpperGarment,
    shoe_pieces,
    skirt_pieces,
    trouser_pieces,
    upper_pieces,
)
from pipeline.world.figure import Figure, assemble, pose_figure
from pipeline.world.heads import Skull, hair_pieces, headwear_pieces
from pipeline.world.people import Identity
from pipeline.world.poses import Pose, rotations, standing, walking
from pipeline.world.surfaces import PART
from pipeline.world.tubes import Tailor

_OVERLAP = 0.03  # metres of what is covered that stay, at its edge


@dataclass(frozen=True)
class Look:
    """What changes between two views of one person."""

    pose: Pose
    creases: int = 0
    """Seed of the folds."""
    jacket_open: float = 0.0
    """Metres between the edges of an open jacket; 0: closed."""


def draw_look(rng: np.random.Generator, identity: Identity) -> Look:
    """A random moment of a person: mostly walking, sometimes standing."""
    walks = rng.random() < 0.75
    stride = float(np.clip(rng.normal(0.85, 0.15), 0.4, 1.1))
    pose = walking(float(rng.random()), stride, float(rng.uniform(0.4, 1.2)))
    if not walks:
        pose = standing(float(rng.uniform(-1, 1)))
    can_open = identity.outer is not None and rng.random() < 0.45
    opening = float(rng.uniform(0.06, 0.2)) if can_open else 0.0
    return Look(pose, int(rng.integers(1 << 16)), opening)


class Person:
    """The static meshes of an identity."""

    def __init__(self, body: Body, identity: Identity) -> None:
        self.body, self.identity = body, identity
        self.shape = body.shaped(identity.shape)
        self.tailor = Tailor(body, self.shape)
        self.assembly = assemble(self._pieces())

    def posed(self, look: Look, yaw: float, x: float, z: float) -> Figure:
        """The person's surface: turned by `yaw`, the middle of the hips above (x, z)."""
        moves = self.body.moves(self.shape.joints, rotations(self.body, look.pose))
        return pose_figure(
            self.assembly, self.body, moves, self._cut(look), look.creases, yaw, x, z
        )

    def _cut(self, look: Look) -> np.ndarray:
        """(V,) holes of this view: an open jacket."""
        cut = self.assembly.cut
        if self.identity.outer is None or look.jacket_open == 0:
            return cut
        outer = self.assembly.piece_rows("outer") & (self.assembly.places[:, 2] == 0)
        places = self.assembly.places
        width = look.jacket_open * (0.5 + 0.5 * np.clip(places[:, 1] / 0.5, 0, 1.4))
        edge = np.abs(places[:, 0]) - width / 2
        return np.where(outer, np.minimum(cut, edge), cut).astype(np.float32)

    def _pieces(self) -> list[Piece]:
        who, tailor = self.identity, self.tailor
        skull = Skull(tailor)
        pieces = upper_pieces(tailor, who.top, "top")
        if who.outer:
            pieces = _below_jacket(pieces, who.top, who.outer)
            pieces += upper_pieces(tailor, who.outer, "outer")
        if who.legwear:
            pieces += trouser_pieces(tailor, who.legwear)
        if isinstance(who.bottom, Skirt):
            pieces += skirt_pieces(tailor, who.bottom)
        else:
            pieces += trouser_pieces(tailor, who.bottom)
        pieces += shoe_pieces(tailor, who.shoes)
        pieces += hair_pieces(skull, who.hair)
        if who.headwear:
            pieces += headwear_pieces(skull, who.headwear, who.hair.top)
        return [self._skin(), *pieces]

    def _skin(self) -> Piece:
        """The body where no cloth hides it."""
        body = self.body
        count = len(self.shape.vertices)
        return Piece(
            vertices=self.shape.vertices,
            triangles=body.triangles,
            skin=body.skin,
            places=body.average.vertices,
            fabric=self.identity.skin,
            part=PART["skin"],
            folds=np.zeros(count, np.float32),
            cut=-self._covered(),
            name="skin",
            twins=np.zeros((0, 2), np.int64),
        )

    def _covered(self) -> np.ndarray:
        """(V,) float32 metres by which cloth covers the skin; below 0 it is seen."""
        who, tailor, at = self.identity, self.tailor, self.tailor.heights
        y = self.shape.vertices[:, 1]
        arms, upper = tailor.arms > 0.5, who.outer or who.top
        neck = at.neck - 0.02 - max(who.top.neckline, 0.03) * (self.shape.vertices[:, 2] > 0)
        sleeve = max(who.top.sleeve, upper.sleeve)
        shoe = at.ankle + max(who.shoes.shaft, 0) - 0.02
        leg = who.legwear or who.bottom
        low = at.hip - max(who.top.hem, getattr(who.bottom, "hem", 0)) * (at.hip - at.knee)
        if hasattr(leg, "length"):
            low = min(low, at.crotch - leg.length * (at.crotch - at.ankle))
        trunk = np.minimum(neck - y, y - low - _OVERLAP)
        trunk = np.maximum(trunk, shoe - y)
        along = np.full(len(y), -1.0)
        for side, sign in SIDES.items():
            _, frame, length = tailor.arm(side)
            own = arms & (self.shape.vertices[:, 0] * sign > 0)
            place = (self.shape.vertices[own] - frame.origin) @ frame.along
            along[own] = sleeve * length - _OVERLAP - place
        return np.where(arms, along, trunk).astype(np.float32)


def _below_jacket(pieces: list[Piece], top: UpperGarment, outer: UpperGarment) -> list[Piece]:
    """Of the top, only what an open jacket shows: the front, the collar and the hem."""
    trunk = pieces[0]
    around, along = np.abs(trunk.places[:, 0]), trunk.places[:, 1]
    hidden = (along > 0.1 + top.collar) & (around > 0.25)
    if top.hem > outer.hem:
        hidden &= along < along.max() - 0.1
    high = (trunk.places[:, 1] > 0.02 + top.collar) & (around > 0.1) & (along < 0.16)
    return [replace(trunk, cut=np.where(hidden | high, -1, trunk.cut).astype(np.float32))]
