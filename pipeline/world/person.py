"""A person of one identity, and its belongings, as surfaces in any pose."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from pipeline.world.body import SIDES, Body, attached
from pipeline.world.carried import Carried
from pipeline.world.cycles import Ridden, ridden_bicycle
from pipeline.world.fabrics import TRUNK
from pipeline.world.figure import Figure, assemble, pose_figure
from pipeline.world.looks import Look
from pipeline.world.meshes import moved
from pipeline.world.outfit import OVERLAP, Outfit
from pipeline.world.people import Identity, draw_identity
from pipeline.world.poses import Pose, rotations, sitting, walking
from pipeline.world.rides import riding, scooter
from pipeline.world.surfaces import Mesh, Surface
from pipeline.world.things import hold, make_thing
from pipeline.world.tubes import Tailor

_RIDERS = {"riding": (0.35, 0.15), "scooter": (0.08, 0.0)}
"""Lean of a rider and lift of the heels in radians, by activity."""

_PALM = np.array([0, -0.02, 0.01])  # metres from the middle knuckle to the centre of the palm
_BESIDE = 0.45  # metres to the side: a wheeled bicycle
_LED, _ON_ARM = 0.42, 0.2  # metres to the side: a child


class Person:
    """Poses and places the meshes of one identity."""

    def __init__(self, body: Body, identity: Identity) -> None:
        self.body, self.identity = body, identity
        self.shape = body.shaped(identity.shape)
        self.tailor = Tailor(body, self.shape)
        self.assembly = assemble(Outfit(self.tailor, identity).pieces())
        self._held: dict[str, Carried | None] = {}
        """Cache by activity: making a thing takes longer than placing it."""

    def posed(self, look: Look, yaw: float, x: float, z: float) -> Figure:
        """Return the person's surface, turned by `yaw`, with the hips above (x, z)."""
        return self._figure(look, self._transforms(self._pose(look))).placed(yaw, x, z)

    def surfaces(self, look: Look, yaw: float, x: float, z: float) -> list[Surface]:
        """Return the person's surface, then those of belongings and children."""
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
        """Return the look's pose; a rider's pose depends on the vehicle."""
        if look.activity not in _RIDERS:
            return look.pose
        pitch, heel = _RIDERS[look.activity]
        pose = riding(self.body, self.shape, self._transforms, self._ride(look), pitch, heel)
        return replace(pose, head=(pose.head[0], look.pose.head[1], 0.0))

    def _ride(self, look: Look) -> Ridden:
        """Return the ridden or wheeled vehicle, in the person's frame."""
        return self._scooter if look.activity == "scooter" else self._bicycle

    @cached_property
    def _bicycle(self) -> Ridden:
        return ridden_bicycle(self._things_rng())

    @cached_property
    def _scooter(self) -> Ridden:
        return scooter(self._things_rng(), float(self.tailor.joint("pelvis")[1]))

    @cached_property
    def _toddler(self) -> Person:
        """The carried child."""
        return self._child_of_size(self._things_rng(), 0.64)

    @cached_property
    def _child(self) -> Person:
        """The child that walks beside the person."""
        rng = self._things_rng()
        return self._child_of_size(rng, float(rng.uniform(0.78, 1)))

    def _child_of_size(self, rng: np.random.Generator, size: float) -> Person:
        identity = replace(draw_identity(rng), bag=None)
        shape = replace(identity.shape, age=-0.95, weight=0.0, size=size)
        return Person(self.body, replace(identity, shape=shape))

    def _things_rng(self) -> np.random.Generator:
        """Return the random generator of the belongings: the same for every view."""
        return np.random.default_rng(self.identity.things_seed)

    def _transforms(self, pose: Pose) -> np.ndarray:
        """Return transforms (B + 2, 3, 4) of the bones and of things that hang from the hands."""
        joints = self.shape.joints
        transforms = self.body.bone_transforms(joints, rotations(self.body, pose))
        if pose.seat is not None:
            pelvis = attached(joints[0], transforms[0])
            transforms[:, :, 3] += (pose.seat - pelvis).astype(np.float32)
        hanging = np.zeros((2, 3, 4), np.float32)
        for row, side in enumerate(SIDES):
            bone = self.body.bone(f"middle_01_{side}")
            hanging[row, :, :3] = np.eye(3)
            hanging[row, :, 3] = attached(joints[bone], transforms[bone]) - joints[bone]
        return np.concatenate([transforms, hanging])

    def _cut(self, look: Look) -> np.ndarray:
        """Return the cut (V,) float32 of this look: the gap of an open jacket, or the top below."""
        cut, uvw, outer = self.assembly.cut, self.assembly.uvw, self.identity.outer
        if outer is None:
            return cut
        if look.jacket_open == 0:
            at, y = self.tailor.heights, self.assembly.vertices[:, 1]
            inside = (y < at.neck - outer.neckline - 0.03) & (y > at.hem(outer.hem) + OVERLAP)
            return np.where(self.assembly.in_piece("top") & inside, np.float32(-1), cut)
        front = self.assembly.in_piece("outer") & (uvw[:, 2] == TRUNK)
        width = look.jacket_open * (0.5 + 0.5 * np.clip(uvw[:, 1] / 0.5, 0, 1.4))
        edge = np.abs(uvw[:, 0]) - width / 2
        return np.where(front, np.minimum(cut, edge), cut).astype(np.float32)

    def _things(
        self, look: Look, transforms: np.ndarray, yaw: float, x: float, z: float
    ) -> list[Surface]:
        """Return the surfaces of belongings and children."""
        if look.activity in ("child", "baby"):
            hips = float(attached(self.shape.joints[0], transforms[0])[1])
            return [self._posed_child(look, hips, yaw, x, z)]
        mesh = self._thing(look, transforms)
        return [] if mesh is None else [mesh.placed(yaw, x, z)]

    def _thing(self, look: Look, transforms: np.ndarray) -> Mesh | None:
        """Return the held, ridden or wheeled thing in the person's frame."""
        if look.activity in _RIDERS:
            return self._ride(look).mesh
        hands = np.stack([self._hand(transforms, side) for side in SIDES])
        if look.activity == "wheeling":
            ride = self._ride(look)
            ahead = float(hands[:, 2].mean() - ride.grips[:, 2].mean())
            return moved(ride.mesh, x=_BESIDE * SIDES[look.side], z=ahead)
        if look.activity not in self._held:
            self._held[look.activity] = make_thing(look.activity, self._things_rng())
        held = self._held[look.activity]
        return None if held is None else hold(held, look.activity, hands, look.side)

    def _hand(self, transforms: np.ndarray, side: str) -> np.ndarray:
        """Return the centre (3,) of a palm."""
        bone = self.body.bone(f"hand_{side}")
        knuckles = self.shape.joints[self.body.bone(f"middle_01_{side}")]
        return attached(knuckles + _PALM, transforms[bone])

    def _posed_child(self, look: Look, hips: float, yaw: float, x: float, z: float) -> Figure:
        """Pose a child beside the person or on its arm; the hips are `hips` metres high."""
        sign = SIDES[look.side]
        if look.activity == "child":
            child, pose = self._child, walking(look.creases % 7 / 7, 0.8, 0.4)
            aside, turn = sign * _LED, 0.0
        else:
            child, pose = self._toddler, sitting(np.array([0.0, hips + 0.24, 0.06]))
            aside, turn = sign * _ON_ARM, -sign * 0.9
        x, z = x + aside * np.cos(yaw), z - aside * np.sin(yaw)
        return child.posed(Look(pose), yaw + turn, x, z)
