"""A person of one identity, who can be posed."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from pipeline.world.body import SIDES, Body
from pipeline.world.carried import Carried
from pipeline.world.clothes import Piece, Skirt, Trousers, UpperGarment
from pipeline.world.cycles import Ridden, ridden_bicycle
from pipeline.world.figure import Figure, assemble, pose_figure
from pipeline.world.hair import hair_pieces, squashed
from pipeline.world.headwear import headwear_pieces, hood_down, hood_up
from pipeline.world.looks import Look
from pipeline.world.lowers import shoe_pieces, skirt_pieces, trouser_pieces
from pipeline.world.luggage import bag_pieces
from pipeline.world.meshes import moved
from pipeline.world.patterns import TRUNK
from pipeline.world.people import Identity, draw_identity
from pipeline.world.poses import Pose, rotations, sitting, walking
from pipeline.world.rides import riding, scooter
from pipeline.world.skull import Skull
from pipeline.world.surfaces import PART, Mesh, Surface
from pipeline.world.things import hold, make_thing
from pipeline.world.tubes import Tailor
from pipeline.world.uppers import neckline, trunk_rings, upper_pieces

_OVERLAP = 0.03  # metres of what is covered that stay, at its edge
_TUCKED = 0.06  # metres of trousers that stay below a shirt's hem
_TIGHT = 0.006  # metres: trousers with less room go into boots
_SHOWN = 0.13  # metres to each side of the middle: what an open jacket shows
_RIDERS = {"riding": (0.35, 0.15), "scooter": (0.08, 0.0)}
"""How riders lean, and lift their heels, in radians."""

_PALM = np.array([0, -0.02, 0.01])  # metres from the middle knuckle to the middle of the palm
_BESIDE = 0.45  # metres: of a bicycle that is wheeled
_LED, _ON_ARM = 0.42, 0.2  # metres to the side: of a child


class Person:
    """The static meshes of an identity."""

    def __init__(self, body: Body, identity: Identity) -> None:
        self.body, self.identity = body, identity
        self.shape = body.shaped(identity.shape)
        self.tailor = Tailor(body, self.shape)
        self.assembly = assemble(_Wardrobe(self.tailor, identity).pieces())
        self._held: dict[str, Carried | None] = {}
        """By activity: making a thing takes longer than placing it."""

    def posed(self, look: Look, yaw: float, x: float, z: float) -> Figure:
        """The person's surface: turned by `yaw`, the middle of the hips above (x, z)."""
        return self._figure(look, self._transforms(self._pose(look))).placed(yaw, x, z)

    def surfaces(self, look: Look, yaw: float, x: float, z: float) -> list[Surface]:
        """The person, first, and all that they hold, push or lead."""
        transforms = self._transforms(self._pose(look))
        figure = self._figure(look, transforms)
        transforms[:, 1, 3] += figure.lift
        return [figure.placed(yaw, x, z), *self._things(look, transforms, yaw, x, z)]

    def _figure(self, look: Look, transforms: np.ndarray) -> Figure:
        hidden = frozenset({"hood_down" if look.hood_up else "hood_up"})
        grounded = look.activity not in _RIDERS and look.pose.seat is None
        return pose_figure(
            self.assembly, transforms, self._cut(look), hidden, look.creases, grounded
        )

    def _pose(self, look: Look) -> Pose:
        """The look's pose; that of a rider depends on the vehicle."""
        if look.activity not in _RIDERS:
            return look.pose
        pitch, heel = _RIDERS[look.activity]
        pose = riding(self.body, self.shape, self._transforms, self._ride(look), pitch, heel)
        return replace(pose, head=(pose.head[0], look.pose.head[1], 0.0))

    def _ride(self, look: Look) -> Ridden:
        """What is ridden or wheeled along, in the person's frame."""
        return self._scooter if look.activity == "scooter" else self._bicycle

    @cached_property
    def _bicycle(self) -> Ridden:
        return ridden_bicycle(self._taste())

    @cached_property
    def _scooter(self) -> Ridden:
        return scooter(self._taste(), float(self.tailor.joint("pelvis")[1]))

    @cached_property
    def _toddler(self) -> Person:
        """The child on the arm."""
        return self._child_of_size(self._taste(), 0.64)

    @cached_property
    def _small(self) -> Person:
        """The child that is led."""
        rng = self._taste()
        return self._child_of_size(rng, float(rng.uniform(0.78, 1)))

    def _child_of_size(self, rng: np.random.Generator, size: float) -> Person:
        identity = replace(draw_identity(rng), bag=None)
        shape = replace(identity.shape, age=-0.95, weight=0.0, size=size)
        return Person(self.body, replace(identity, shape=shape))

    def _taste(self) -> np.random.Generator:
        """What decides how the person's things look."""
        return np.random.default_rng(self.identity.things)

    def _transforms(self, pose: Pose) -> np.ndarray:
        """(B + 2, 3, 4) maps of the bones, and of those that hang from the hands."""
        joints = self.shape.joints
        transforms = self.body.bone_transforms(joints, rotations(self.body, pose))
        if pose.seat is not None:
            start = transforms[0, :, :3] @ joints[0] + transforms[0, :, 3]
            transforms[:, :, 3] += (pose.seat - start).astype(np.float32)
        hanging = np.zeros((2, 3, 4), np.float32)
        for row, side in enumerate(SIDES):
            bone = self.body.bone(f"middle_01_{side}")
            held = transforms[bone, :, :3] @ joints[bone] + transforms[bone, :, 3]
            hanging[row, :, :3] = np.eye(3)
            hanging[row, :, 3] = held - joints[bone]
        return np.concatenate([transforms, hanging])

    def _cut(self, look: Look) -> np.ndarray:
        """(V,) holes of this view: an open jacket, or what a closed one hides."""
        cut, uvw, outer = self.assembly.cut, self.assembly.uvw, self.identity.outer
        if outer is None:
            return cut
        if look.jacket_open == 0:
            at, y = self.tailor.heights, self.assembly.vertices[:, 1]
            hem = at.hip - outer.hem * (at.hip - at.knee)
            inside = (y < at.neck - outer.neckline - 0.03) & (y > hem + _OVERLAP)
            return np.where(self.assembly.in_piece("top") & inside, np.float32(-1), cut)
        front = self.assembly.in_piece("outer") & (uvw[:, 2] == TRUNK)
        width = look.jacket_open * (0.5 + 0.5 * np.clip(uvw[:, 1] / 0.5, 0, 1.4))
        edge = np.abs(uvw[:, 0]) - width / 2
        return np.where(front, np.minimum(cut, edge), cut).astype(np.float32)

    # --------------------------------------------------------------------------- things

    def _things(
        self, look: Look, transforms: np.ndarray, yaw: float, x: float, z: float
    ) -> list[Surface]:
        if look.activity in ("child", "baby"):
            hips = transforms[0, :, :3] @ self.shape.joints[0] + transforms[0, :, 3]
            return [self._child(look, float(hips[1]), yaw, x, z)]
        mesh = self._thing(look, transforms)
        return [] if mesh is None else [mesh.placed(yaw, x, z)]

    def _thing(self, look: Look, transforms: np.ndarray) -> Mesh | None:
        """What is held or ridden, in the person's frame."""
        if look.activity in _RIDERS:
            return self._ride(look).mesh
        hands = np.stack([self._hand(transforms, side) for side in SIDES])
        if look.activity == "wheeling":
            ride = self._ride(look)
            ahead = float(hands[:, 2].mean() - ride.grips[:, 2].mean())
            return moved(ride.mesh, x=_BESIDE * SIDES[look.side], z=ahead)
        if look.activity not in self._held:
            self._held[look.activity] = make_thing(look.activity, self._taste())
        held = self._held[look.activity]
        return None if held is None else hold(held, look.activity, hands, look.side)

    def _hand(self, transforms: np.ndarray, side: str) -> np.ndarray:
        """(3,) the middle of a hand."""
        bone = self.body.bone(f"hand_{side}")
        knuckles = self.shape.joints[self.body.bone(f"middle_01_{side}")]
        return transforms[bone, :, :3] @ (knuckles + _PALM) + transforms[bone, :, 3]

    def _child(self, look: Look, hips: float, yaw: float, x: float, z: float) -> Surface:
        """A child beside the person, or on the arm; `hips` is the height of the person's."""
        sign, cos, sin = SIDES[look.side], np.cos(yaw), np.sin(yaw)
        led = look.activity == "child"
        pose = walking(look.creases % 7 / 7, 0.8, 0.4)
        if not led:
            pose = sitting(np.array([0.0, hips + 0.24, 0.06]))
        aside = sign * (_LED if led else _ON_ARM)
        turned = yaw if led else yaw - sign * 0.9
        child = self._toddler if look.activity == "baby" else self._small
        return child.posed(Look(pose), turned, x + aside * cos, z - aside * sin)


class _Wardrobe:
    """The pieces of an identity."""

    def __init__(self, tailor: Tailor, identity: Identity) -> None:
        self.tailor, self.who = tailor, identity

    def pieces(self) -> list[Piece]:
        return [self._skin(), *self._uppers(), *self._lowers(), *self._head()]

    def _uppers(self) -> list[Piece]:
        who, tailor = self.who, self.tailor
        pieces = upper_pieces(tailor, who.top, "top")
        cloth = trunk_rings(pieces[0])
        if who.outer:
            outer = upper_pieces(tailor, who.outer, "outer", cloth)
            cloth = trunk_rings(outer[0])
            pieces = [_below_jacket(pieces[0], who.top, who.outer), *outer]
        if who.bag:
            pieces += bag_pieces(tailor, who.bag, cloth)
        return pieces

    def _lowers(self) -> list[Piece]:
        who, tailor = self.who, self.tailor
        pieces = shoe_pieces(tailor, who.shoes, shaft=self._booted())
        for garment in (who.legwear, who.bottom):
            if isinstance(garment, Trousers):
                pieces += [self._tucked(piece) for piece in trouser_pieces(tailor, garment)]
            elif isinstance(garment, Skirt):
                pieces += [self._tucked(piece) for piece in skirt_pieces(tailor, garment)]
        return pieces

    def _booted(self) -> bool:
        """Whether boots are worn over the trousers."""
        leg = self.who.legwear or self.who.bottom
        return isinstance(leg, Skirt) or leg.ease <= _TIGHT

    def _tucked(self, piece: Piece) -> Piece:
        """A lower garment without what a shirt or jacket covers."""
        at, who = self.tailor.heights, self.who
        hem = max(who.top.hem, who.outer.hem if who.outer else -1)
        covered = piece.vertices[:, 1] - (at.hip - hem * (at.hip - at.knee)) - _TUCKED
        if self._booted() and who.shoes.shaft > 0:
            shaft = at.ankle + who.shoes.shaft - _OVERLAP
            covered = np.maximum(covered, shaft - piece.vertices[:, 1])
        return replace(piece, cut=np.minimum(piece.cut, -covered).astype(np.float32))

    def _head(self) -> list[Piece]:
        who, skull = self.who, Skull(self.tailor)
        hair = squashed(who.hair) if who.headwear else who.hair
        covered = who.headwear is not None and who.headwear.kind == "scarf"
        pieces = [] if covered else hair_pieces(skull, hair)
        if who.headwear:
            pieces += headwear_pieces(skull, who.headwear, hair)
        upper, name = (who.outer, "outer") if who.outer else (who.top, "top")
        if upper.hood:
            up = hood_up(skull, upper.fabric, who.hair.top + 0.012, 0.12, name)
            down = hood_down(skull, upper.fabric, name)
            pieces += [replace(up, name="hood_up"), replace(down, name="hood_down")]
        return pieces

    def _skin(self) -> Piece:
        """The body where no cloth hides it."""
        body, shape = self.tailor.body, self.tailor.shape
        count = len(shape.vertices)
        return Piece(
            vertices=shape.vertices,
            triangles=body.triangles,
            skin=body.skin,
            uvw=body.average.vertices,
            fabric=self.who.skin,
            part=PART["skin"],
            folds=np.zeros(count, np.float32),
            cut=-np.where(
                self.tailor.arm_weight > 0.5, self._covered_arms(), self._covered_trunk()
            ),
            name="skin",
            twins=np.zeros((0, 2), np.int64),
        )

    def _covered_trunk(self) -> np.ndarray:
        """(V,) float32 metres by which cloth covers trunk and legs; below 0 skin is seen."""
        who, at, points = self.who, self.tailor.heights, self.tailor.shape.vertices
        y = points[:, 1]
        neck = neckline(points, who.top, at.neck) - 0.015
        neck = neck + 4 * np.maximum(np.abs(points[:, 0]) - 0.085, 0)
        shoe = at.ankle + who.shoes.shaft * self._booted() - 0.02
        skirt = who.bottom.hem if isinstance(who.bottom, Skirt) else 0.0
        low = at.hip - max(who.top.hem, skirt) * (at.hip - at.knee)
        for leg in (who.legwear, who.bottom):
            if isinstance(leg, Trousers):
                low = min(low, at.crotch - leg.length * (at.crotch - at.ankle))
        return np.maximum(np.minimum(neck - y, y - low - _OVERLAP), shoe - y).astype(np.float32)

    def _covered_arms(self) -> np.ndarray:
        """(V,) float32 metres inside the sleeves, along the arms."""
        points, who = self.tailor.shape.vertices, self.who
        part = max(who.top.sleeve, who.outer.sleeve if who.outer else 0)
        covered = np.full(len(points), -1, np.float32)
        for side, sign in SIDES.items():
            _, frame, length = self.tailor.arms[side]
            own = points[:, 0] * sign > 0
            along = (points[own] - frame.origin) @ frame.along
            covered[own] = part * length - _OVERLAP - along
        return covered


def _below_jacket(trunk: Piece, top: UpperGarment, outer: UpperGarment) -> Piece:
    """Of the top's trunk, only what an open jacket shows: the front, the collar and the hem."""
    x, z = trunk.vertices[:, 0], trunk.vertices[:, 2]
    along, middle = trunk.uvw[:, 1], float(np.median(z))
    shown = ((np.abs(x) < _SHOWN) & (z > middle)) | (along < 0.03 + top.collar)
    if top.hem > outer.hem:
        shown |= along > along.max() - 0.1
    return replace(trunk, cut=np.where(shown, trunk.cut, -1).astype(np.float32))
