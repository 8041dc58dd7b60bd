"""The outfit of an identity: skin, clothes, bag, hair and headwear as mesh pieces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.world.body import SIDES
from pipeline.world.clothes import Piece, Skirt, Trousers, UpperGarment, mesh_piece
from pipeline.world.garments import lower_pieces, neckline, shoe_pieces, trunk_rings, upper_pieces
from pipeline.world.heads import hair_pieces, headwear_pieces, hood_down, hood_up, squashed
from pipeline.world.luggage import bag_pieces
from pipeline.world.people import Identity
from pipeline.world.skull import Skull
from pipeline.world.tubes import Tailor

OVERLAP = 0.03
"""Metres by which a covered surface continues under the edge of its cover."""

_TUCKED = 0.06  # metres of trousers kept below a shirt's hem
_TIGHT = 0.006  # metres: trousers with less ease go into boots
_SHOWN = 0.13  # metres to each side of the middle: shown by an open jacket


class Outfit:
    """Makes the pieces of one identity."""

    def __init__(self, tailor: Tailor, identity: Identity) -> None:
        self.tailor, self.identity = tailor, identity

    def pieces(self) -> list[Piece]:
        """Make all pieces; the surface that clothes hide is cut away."""
        return [self._skin(), *self._uppers(), *self._lowers(), *self._head()]

    def _uppers(self) -> list[Piece]:
        identity, tailor = self.identity, self.tailor
        pieces = upper_pieces(tailor, identity.top, "top")
        cloth = trunk_rings(pieces[0])
        if identity.outer:
            outer = upper_pieces(tailor, identity.outer, "outer", cloth)
            cloth = trunk_rings(outer[0])
            pieces = [_below_jacket(pieces[0], identity.top, identity.outer), *outer]
        if identity.bag:
            pieces += bag_pieces(tailor, identity.bag, cloth)
        return pieces

    def _lowers(self) -> list[Piece]:
        identity, tailor = self.identity, self.tailor
        pieces = shoe_pieces(tailor, identity.shoes, shaft=self._booted())
        garments = [worn for worn in (identity.legwear, identity.bottom) if worn]
        for garment in garments:
            pieces += [self._tucked(piece) for piece in lower_pieces(tailor, garment)]
        return pieces

    def _booted(self) -> bool:
        """Return whether boots are worn over the trousers or below a skirt."""
        leg = self.identity.legwear or self.identity.bottom
        return isinstance(leg, Skirt) or leg.ease <= _TIGHT

    def _tucked(self, piece: Piece) -> Piece:
        """Cut away the part of a lower garment that a top, jacket or boot covers."""
        at, identity = self.tailor.heights, self.identity
        hem = max(identity.top.hem, identity.outer.hem if identity.outer else -1)
        covered = piece.vertices[:, 1] - at.hem(hem) - _TUCKED
        if self._booted() and identity.shoes.shaft > 0:
            shaft = at.ankle + identity.shoes.shaft - OVERLAP
            covered = np.maximum(covered, shaft - piece.vertices[:, 1])
        return replace(piece, cut=np.minimum(piece.cut, -covered).astype(np.float32))

    def _head(self) -> list[Piece]:
        identity, skull = self.identity, Skull(self.tailor)
        hair = squashed(identity.hair) if identity.headwear else identity.hair
        covered = identity.headwear is not None and identity.headwear.kind == "scarf"
        pieces = [] if covered else hair_pieces(skull, hair)
        if identity.headwear:
            pieces += headwear_pieces(skull, identity.headwear, hair)
        upper, name = (identity.outer, "outer") if identity.outer else (identity.top, "top")
        if upper.hood:
            up = hood_up(skull, upper.fabric, identity.hair.top + 0.012, 0.12, name)
            down = hood_down(skull, upper.fabric, name)
            pieces += [replace(up, name="hood_up"), replace(down, name="hood_down")]
        return pieces

    def _skin(self) -> Piece:
        """Make the skin, cut away under clothes."""
        tailor, body = self.tailor, self.tailor.body
        points, uvw = tailor.shape.vertices, body.average.vertices
        skin = mesh_piece("skin", points, body.triangles, body.skin, uvw, self.identity.skin)
        on_arm = tailor.arm_weight > 0.5
        return replace(skin, cut=-np.where(on_arm, self._covered_arms(), self._covered_trunk()))

    def _covered_trunk(self) -> np.ndarray:
        """Return the metres (V,) float32 to the edge of cloth on trunk and legs; negative: bare."""
        identity, at, points = self.identity, self.tailor.heights, self.tailor.shape.vertices
        y = points[:, 1]
        neck = neckline(points, identity.top, at.neck) - 0.015
        neck = neck + 4 * np.maximum(np.abs(points[:, 0]) - 0.085, 0)
        shoe = at.ankle + identity.shoes.shaft * self._booted() - 0.02
        skirt = identity.bottom.hem if isinstance(identity.bottom, Skirt) else 0.0
        low = at.hem(max(identity.top.hem, skirt))
        for leg in (identity.legwear, identity.bottom):
            if isinstance(leg, Trousers):
                low = min(low, at.trouser_hem(leg.length))
        return np.maximum(np.minimum(neck - y, y - low - OVERLAP), shoe - y).astype(np.float32)

    def _covered_arms(self) -> np.ndarray:
        """Return the metres (V,) float32 to the ends of the sleeves; negative: bare."""
        points, identity = self.tailor.shape.vertices, self.identity
        part = max(identity.top.sleeve, identity.outer.sleeve if identity.outer else 0)
        covered = np.full(len(points), -1, np.float32)
        for side, sign in SIDES.items():
            _, frame, length = self.tailor.arms[side]
            own = points[:, 0] * sign > 0
            along = (points[own] - frame.origin) @ frame.along
            covered[own] = part * length - OVERLAP - along
        return covered


def _below_jacket(trunk: Piece, top: UpperGarment, outer: UpperGarment) -> Piece:
    """Cut a top's trunk to what an open jacket shows: front, collar and hem."""
    x, z = trunk.vertices[:, 0], trunk.vertices[:, 2]
    along, middle = trunk.uvw[:, 1], float(np.median(z))
    shown = ((np.abs(x) < _SHOWN) & (z > middle)) | (along < 0.03 + top.collar)
    if top.hem > outer.hem:
        shown |= along > along.max() - 0.1
    return replace(trunk, cut=np.where(shown, trunk.cut, -1).astype(np.float32))
