"""The mesh of a person: assembled from pieces in the bind pose, then skinned to one pose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.world.body import Skin, apply_blend, blend_transforms, unit, vertex_normals
from pipeline.world.clothes import Piece
from pipeline.world.materials import Material
from pipeline.world.noise import fractal_noise
from pipeline.world.surfaces import Extent, Paint, interpolate, turned

_TILE = 64
_WAVES = fractal_noise(np.random.default_rng(11), _TILE, 2, octaves=3, gain=0.6)
_ACROSS, _ALONG = 150.0, 42.0  # cells of the noise per metre, around and along the cloth
_SHADING = 2.2  # folds look deeper than they are
_DEEP, _DARKER = 0.006, 0.3  # folds this deep (metres) are darker by this fraction
_BRIGHTEST = np.float32(0.9)  # albedo


@dataclass(frozen=True)
class Assembly:
    """All pieces of a person as one mesh in the bind pose; for the fields see `Piece`."""

    vertices: np.ndarray
    triangles: np.ndarray
    skin: Skin
    uvw: np.ndarray
    normals: np.ndarray
    folds: np.ndarray
    cut: np.ndarray
    parts: np.ndarray
    two_sided: np.ndarray
    material: np.ndarray
    """(T,) uint8 indices in `materials`."""
    materials: tuple[Material, ...]
    piece: np.ndarray
    """(V,) uint8 indices in `names`."""
    names: tuple[str, ...]
    """Names of the pieces."""
    twins: np.ndarray

    def in_piece(self, name: str) -> np.ndarray:
        """Return (V,) bool: whether the vertex belongs to a piece called `name`."""
        return np.array([found == name for found in self.names])[self.piece]


def assemble(pieces: Sequence[Piece]) -> Assembly:
    """Join `pieces`; drop the triangles that their `cut` hides in every view."""
    sizes = [len(piece.vertices) for piece in pieces]
    starts = np.cumsum([0, *sizes[:-1]])
    faces = [
        piece.triangles[piece.cut[piece.triangles].max(1) >= 0] + np.int32(start)
        for piece, start in zip(pieces, starts, strict=True)
    ]
    counts, numbers = [len(found) for found in faces], np.arange(len(pieces), dtype=np.uint8)
    triangles = np.concatenate(faces)
    twins = np.concatenate([p.twins + start for p, start in zip(pieces, starts, strict=True)])
    joined: dict[str, Any] = {
        field: np.concatenate([getattr(piece, field) for piece in pieces])
        for field in ("vertices", "uvw", "folds", "cut")
    }
    bones, weights = zip(*(piece.skin for piece in pieces), strict=True)
    return Assembly(
        triangles=triangles,
        skin=Skin(np.concatenate(bones), np.concatenate(weights)),
        normals=_welded(vertex_normals(joined["vertices"], triangles), twins),
        parts=np.repeat(np.array([piece.part for piece in pieces], np.uint8), counts),
        two_sided=np.repeat([piece.two_sided for piece in pieces], counts),
        material=np.repeat(numbers, counts),
        materials=tuple(piece.material for piece in pieces),
        piece=np.repeat(numbers, sizes),
        names=tuple(piece.name for piece in pieces),
        twins=twins,
        **joined,
    )


def _welded(normals: np.ndarray, twins: np.ndarray) -> np.ndarray:
    """Average `normals` over vertices at the same position, in place."""
    one, other = twins.T
    mean = unit(normals[one] + normals[other])
    normals[one], normals[other] = mean, mean
    return normals


@dataclass(frozen=True)
class Figure(Extent):
    """A person in one pose: a `Surface`."""

    assembly: Assembly
    shown: np.ndarray
    """(T,) rows of the assembly's visible triangles."""
    triangles: np.ndarray
    two_sided: np.ndarray
    parts: np.ndarray
    vertices: np.ndarray
    normals: np.ndarray
    shade: np.ndarray
    """(V,) float32 factor of the albedo: folds are darker."""
    cut: np.ndarray
    lift: float
    """Metres by which the pose was raised to stand on the ground."""

    def placed(self, yaw: float, x: float, z: float) -> Figure:
        """Turn the figure by `yaw` radians about the vertical and move it to (x, z)."""
        moved = turned(self.vertices, yaw) + np.array([x, 0, z], np.float32)
        return replace(self, vertices=moved, normals=turned(self.normals, yaw))

    def paint(self, triangles: np.ndarray, weights: np.ndarray) -> Paint:
        whole = self.assembly
        triangles = self.shown[triangles]
        rows = whole.triangles[triangles]
        values = np.concatenate([self.normals.T, whole.uvw.T, self.shade[None]])
        mixed = interpolate(values.T, rows, weights)
        normals, uvw, shade = mixed[:, :3], mixed[:, 3:6], mixed[:, 6:]
        albedo = np.empty((3, len(rows)), np.float32).T
        gloss = np.empty(len(rows), np.float32)
        material = whole.material[triangles]
        for index in np.unique(material):
            own = np.flatnonzero(material == index)
            albedo[own] = whole.materials[index].albedo(uvw[own])
            gloss[own] = whole.materials[index].gloss
        return Paint(np.minimum(albedo * shade, _BRIGHTEST), normals, gloss)


def pose_figure(
    assembly: Assembly,
    transforms: np.ndarray,
    cut: np.ndarray,
    hidden: frozenset[str],
    creases: int,
    grounded: bool,
) -> Figure:
    """Skin the assembly and add folds, in the person's frame, without the `hidden` pieces.

    `transforms` (bones, 3, 4) move the bones; `creases` is the random seed of the folds;
    `grounded` moves the lowest visible point to y = 0.
    """
    blend = blend_transforms(assembly.skin, transforms)
    vertices = apply_blend(assembly.vertices, blend)
    normals = apply_blend(assembly.normals, blend, directions=True)
    waves = _waves(assembly, creases)
    depth = assembly.folds * waves
    folded = vertices + normals * (_SHADING * depth)[:, None]
    vertices = vertices + normals * depth[:, None]
    visible = np.array([name not in hidden for name in assembly.names])
    lift = -float(vertices[visible[assembly.piece], 1].min()) if grounded else 0.0
    vertices[:, 1] += np.float32(lift)
    deep = np.clip(assembly.folds / np.float32(_DEEP), 0, 1) * np.clip(-waves, 0, 1)
    shown = np.flatnonzero(visible[assembly.material])
    return Figure(
        assembly=assembly,
        shown=shown,
        triangles=assembly.triangles.take(shown, 0),
        two_sided=assembly.two_sided.take(shown),
        parts=assembly.parts.take(shown),
        vertices=vertices,
        normals=_welded(vertex_normals(folded, assembly.triangles), assembly.twins),
        shade=1 - np.float32(_DARKER) * deep,
        cut=cut,
        lift=lift,
    )


def _waves(assembly: Assembly, creases: int) -> np.ndarray:
    """Return the relative height (V,) float32 of the folds: -1 in a crease, 1, or 0 without."""
    rng = np.random.default_rng(creases)
    shift = rng.integers(0, _TILE, (len(assembly.names), 2)).astype(np.float32)
    slant = rng.uniform(-0.6, 0.6, len(assembly.names)).astype(np.float32)
    folded = np.flatnonzero(assembly.folds)
    piece = assembly.piece[folded]
    across, along = assembly.uvw[folded, 0], assembly.uvw[folded, 1]
    column = (across + slant[piece] * along) * np.float32(_ACROSS) + shift[piece, 0]
    row = along * np.float32(_ALONG) + shift[piece, 1]
    waves = np.zeros(len(assembly.folds), np.float32)
    waves[folded] = np.minimum(np.float32(1.8) * np.abs(_bilinear(row, column)) - 1, 1)
    one, other = assembly.twins.T
    waves[one] = waves[other] = (waves[one] + waves[other]) / 2
    return waves


def _bilinear(row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Interpolate the periodic noise `_WAVES` at fractional rows and columns (V,)."""
    top, left = np.floor(row), np.floor(column)
    down, right = row - top, column - left
    y, x = top.astype(np.int64) % _TILE, left.astype(np.int64) % _TILE
    below, beside = (y + 1) % _TILE, (x + 1) % _TILE
    y, below = y * _TILE, below * _TILE
    upper = _WAVES.take(y + x) * (1 - right) + _WAVES.take(y + beside) * right
    lower = _WAVES.take(below + x) * (1 - right) + _WAVES.take(below + beside) * right
    return upper * (1 - down) + lower * down
