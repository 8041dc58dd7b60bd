"""The rigged human body of the shipped file: its shape basis and linear blend skinning."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

STEP = 1e-4
"""Metres: unit of the integer coordinates in the file."""

BIND_SPREAD = 0.4
"""Radians between trunk and arms in the bind pose."""

DOWN = np.array([0, -1, 0], np.float64)
LEFT = np.array([1, 0, 0], np.float64)
AHEAD = np.array([0, 0, 1], np.float64)

SIDES = {"l": 1, "r": -1}
"""Sign of x on each side: x is the person's left."""


@dataclass(frozen=True)
class Shape:
    """Proportions of a body."""

    female: float
    """0 male, 1 female."""
    weight: float
    """-1 thin, 0 average, 1 heavy."""
    height: float
    """-1 short, 0 average, 1 tall; real adults lie within -0.3 to 0.3."""
    age: float
    """-1 child, 0 young, 1 old."""
    size: float = 1.0
    """Scale of the whole body, for small children."""


class Skin(NamedTuple):
    """Skinning weights of V vertices."""

    bones: np.ndarray
    """(V, 4) uint8 or int indices of bones."""
    weights: np.ndarray
    """(V, 4) float32; each row sums to 1."""


class BodyShape(NamedTuple):
    """A body in the bind pose: upright, arms straight and a little spread, palms inwards."""

    vertices: np.ndarray
    """(V, 3) float32 metres; the lowest is at y = 0."""
    joints: np.ndarray
    """(B, 3) float32 metres: start of each bone."""


class Body:
    """Mesh, shape basis and rig that all people share."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.bones: tuple[str, ...] = tuple(map(str, arrays["bones"]))
        self.parents: list[int] = arrays["parents"].tolist()
        self.triangles = arrays["triangles"].astype(np.int32)
        self.eyes = arrays["eyes"]
        weights = arrays["skin_weights"].astype(np.float32)
        self.skin = Skin(arrays["skin_bones"], weights / weights.sum(1, keepdims=True))
        self.finger_axes = dict(zip(SIDES, arrays["finger_axes"].astype(np.float64), strict=True))
        self._shapes = {
            name.removeprefix("shape_"): values * np.float32(STEP)
            for name, values in arrays.items()
            if name.startswith("shape_")
        }

    @classmethod
    def load(cls, path: Path) -> Body:
        with np.load(path) as arrays:
            return cls(dict(arrays))

    def bone(self, name: str) -> int:
        return self.bones.index(name)

    def weight_of(self, *prefixes: str) -> np.ndarray:
        """Return the total weight (V,) of the bones with one of these name prefixes."""
        chosen = np.array([bone.startswith(prefixes) for bone in self.bones])
        return (self.skin.weights * chosen[self.skin.bones]).sum(1)

    @cached_property
    def edges(self) -> np.ndarray:
        """(E, 2) int32: each edge of the mesh once."""
        pairs = self.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
        return np.unique(np.sort(pairs, axis=1), axis=0)

    @cached_property
    def average(self) -> BodyShape:
        """The reference body; its vertices are the texture coordinates of all skins."""
        return self.shaped(Shape(female=0.5, weight=0, height=0, age=0))

    def shaped(self, shape: Shape) -> BodyShape:
        """Return the body of this shape in the bind pose."""
        packed = self._shapes["base"].copy()
        for name, factor in _factors(shape).items():
            packed += np.float32(factor) * self._shapes[name]
        count = len(self.skin.bones)
        vertices, joints = packed[:count], packed[count:]
        transforms = self.bone_transforms(joints, self._to_bind_pose(joints))
        vertices, joints = skinned(vertices, self.skin, transforms), attached(joints, transforms)
        floor = np.array([0, vertices[:, 1].min(), 0], np.float32)
        size = np.float32(shape.size)
        return BodyShape(size * (vertices - floor), size * (joints - floor))

    def bone_transforms(self, joints: np.ndarray, rotations: np.ndarray) -> np.ndarray:
        """Return the affine transform of each bone, (B, 3, 4) float32.

        `joints` (B, 3) are the starts of the bones at rest; `rotations` (B, 3, 3) turn each bone
        from rest. Both are in the person's frame. The pelvis does not move.
        """
        result = np.zeros((len(self.bones), 3, 4))
        for bone, parent in enumerate(self.parents):
            joint = joints[bone].astype(np.float64)
            start = joint if parent < 0 else result[parent, :, :3] @ joint + result[parent, :, 3]
            result[bone, :, :3] = rotations[bone]
            result[bone, :, 3] = start - rotations[bone] @ joint
        return np.round(result, 7).astype(np.float32)  # same bytes on every processor

    def _to_bind_pose(self, joints: np.ndarray) -> np.ndarray:
        """Return rotations (B, 3, 3) from the file's pose, with bent elbows, to the bind pose."""
        joint = dict(zip(self.bones, joints.astype(np.float64), strict=True))
        turns = {name: np.eye(3) for name in self.bones}
        for side, sign in SIDES.items():
            upper, lower, hand = (joint[f"{b}_{side}"] for b in ("upperarm", "lowerarm", "hand"))
            knuckle = joint[f"middle_01_{side}"]
            along = np.array([sign * np.sin(BIND_SPREAD), -np.cos(BIND_SPREAD), 0])
            hinge = np.cross(lower - upper, hand - lower)
            target = frame(along, np.cross(along, AHEAD))
            turns[f"upperarm_{side}"] = target @ frame(lower - upper, hinge).T
            turns[f"lowerarm_{side}"] = target @ frame(hand - lower, hinge).T
            palm = frame(along, -AHEAD) @ frame(knuckle - hand, self.finger_axes[side]).T
            for bone in ("hand", "middle_01", "middle_02"):
                turns[f"{bone}_{side}"] = palm
            hip, knee, ankle = (joint[f"{b}_{side}"] for b in ("thigh", "calf", "foot"))
            turns[f"thigh_{side}"] = frame(DOWN, LEFT) @ frame(knee - hip, LEFT).T
            turns[f"calf_{side}"] = frame(DOWN, LEFT) @ frame(ankle - knee, LEFT).T
        return np.stack([turns[name] for name in self.bones])


def _factors(shape: Shape) -> dict[str, float]:
    """Return the factors of the shape basis; absent ones are 0."""
    weights = {
        "minweight": max(-shape.weight, 0),
        "averageweight": 1 - abs(shape.weight),
        "maxweight": max(shape.weight, 0),
    }
    ages = {"child": max(-shape.age, 0), "young": 1 - abs(shape.age), "old": max(shape.age, 0)}
    height = "maxheight" if shape.height > 0 else "minheight"
    factors: dict[str, float] = {}
    for sex, sex_factor in (("female", shape.female), ("male", 1 - shape.female)):
        factors[f"{height}-{sex}"] = sex_factor * abs(shape.height)
        for age, age_factor in ages.items():
            factors[f"race-{sex}-{age}"] = sex_factor * age_factor
            for weight, weight_factor in weights.items():
                factors[f"{weight}-{sex}-{age}"] = sex_factor * age_factor * weight_factor
    return {name: factor for name, factor in factors.items() if factor}


def frame(along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Return the rotation (3, 3) with columns `along`, `across` orthogonalised, and their cross."""
    a0, a1, a2 = _unit(*along.tolist())
    b0, b1, b2 = across.tolist()
    projection = a0 * b0 + a1 * b1 + a2 * b2
    b0, b1, b2 = _unit(b0 - projection * a0, b1 - projection * a1, b2 - projection * a2)
    return np.array(
        [
            [a0, b0, a1 * b2 - a2 * b1],
            [a1, b1, a2 * b0 - a0 * b2],
            [a2, b2, a0 * b1 - a1 * b0],
        ]
    )


def _unit(x: float, y: float, z: float) -> tuple[float, float, float]:
    length = math.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length


def blend_transforms(skin: Skin, transforms: np.ndarray) -> np.ndarray:
    """Average the bones' `transforms` (B, 3, 4) for each vertex: (12, V) float32."""
    flat = transforms.reshape(len(transforms), 12)
    bones, weights = skin
    total = flat.take(bones[:, 0], 0)
    total *= weights[:, :1]
    for rank in range(1, weights.shape[1]):
        rows = np.flatnonzero(weights[:, rank])  # most vertices follow one or two bones
        total[rows] += flat.take(bones[rows, rank], 0) * weights[rows, rank, None]
    return np.ascontiguousarray(total.T)


def skinned(vertices: np.ndarray, skin: Skin, transforms: np.ndarray) -> np.ndarray:
    """Move `vertices` (V, 3) by linear blend skinning with the bones' `transforms` (B, 3, 4)."""
    return apply_blend(vertices, blend_transforms(skin, transforms))


def apply_blend(vectors: np.ndarray, blend: np.ndarray, directions: bool = False) -> np.ndarray:
    """Apply `blend` (12, V), from `blend_transforms`, to points or directions (V, 3)."""
    x, y, z = vectors.T
    out = np.empty((3, len(vectors)), np.result_type(vectors, blend))
    for row, (a, b, c, d) in zip(out, blend.reshape(3, 4, -1), strict=True):
        np.multiply(a, x, out=row)
        row += b * y
        row += c * z
        if not directions:
            row += d
    return out.T


def attached(points: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    """Move `points` (..., 3) of the bind pose by the `transforms` (..., 3, 4) of their bones."""
    return (transforms[..., :3] * points[..., None, :]).sum(-1) + transforms[..., 3]


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return unit vertex normals (V, 3) float32: area-weighted means of the triangles' normals."""
    corners = np.ascontiguousarray(triangles.T, np.intp)
    a, b, c = np.ascontiguousarray(vertices.T).take(corners, 1).swapaxes(0, 1)
    total = np.zeros((3, len(vertices)))
    for axis, component in enumerate(cross((b - a).T, (c - a).T).T.astype(np.float64)):
        for corner in corners:
            total[axis] += np.bincount(corner, component, len(vertices))
    return unit(total.astype(np.float32).T)


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cross products (P, 3) of `a` and `b`; faster than numpy's."""
    a0, a1, a2 = a.T
    b0, b1, b2 = b.T
    return np.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0]).T


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale `vectors` (..., D) to length 1; zero stays zero."""
    squares = np.moveaxis(vectors * vectors, -1, 0)  # a sum over so short a last axis is slow
    length = np.sqrt(sum(squares))
    return vectors / np.maximum(length, np.float32(1e-30))[..., None]
