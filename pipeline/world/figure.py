"""A person of one identity: static pieces in the bind pose, and the surface of one pose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pipeline.world.body import (
    Skin,
    blended,
    normalised,
    transformed,
    vertex_normals,
)
from pipeline.world.clothes import Piece
from pipeline.world.noise import fractal_noise
from pipeline.world.patterns import Material
from pipeline.world.surfaces import Paint, interpolate, turned

_TILE = 64
_WAVES = fractal_noise(np.random.default_rng(11), _TILE, 2, octaves=3, gain=0.6)
_ACROSS, _ALONG = 150.0, 42.0  # cells of the noise per metre, around and along the cloth
_SHADING = 2.2  # folds look deeper than they are
_DEEP, _DARKER = 0.006, 0.3  # of the colour in a fold
_BRIGHTEST = np.float32(0.9)  # albedo


@dataclass(frozen=True)
class Assembly:
    """All pieces of a person as one mesh in the bind pose."""

    vertices: np.ndarray
    triangles: np.ndarray
    skin: Skin
    places: np.ndarray
    normals: np.ndarray
    folds: np.ndarray
    cut: np.ndarray
    parts: np.ndarray
    two_sided: np.ndarray
    material: np.ndarray
    """(T,) uint8 index in `materials`."""
    materials: tuple[Material, ...]
    piece: np.ndarray
    """(V,) uint8 index of the piece."""
    names: tuple[str, ...]
    """Name of each piece."""
    twins: np.ndarray
    """(S, 2) rows of vertices at the same place."""

    def piece_rows(self, name: str) -> np.ndarray:
        """(V,) whether a vertex is of a piece called `name`."""
        return np.array([found == name for found in self.names])[self.piece]


def assemble(pieces: Sequence[Piece]) -> Assembly:
    """Join `pieces`, without the triangles that their `cut` hides for good."""
    starts = np.cumsum([0, *(len(piece.vertices) for piece in pieces)])
    triangles, twins = [], []
    for piece, start in zip(pieces, starts, strict=False):
        shown = piece.cut[piece.triangles].max(1) >= 0
        triangles.append(piece.triangles[shown] + np.int32(start))
        twins.append(piece.twins + start)
    counts = [len(found) for found in triangles]

    def of_triangles(values: list[int]) -> np.ndarray:
        return np.repeat(np.array(values, np.uint8), counts)

    vertices = np.concatenate([piece.vertices for piece in pieces])
    joined, pairs = np.concatenate(triangles), np.concatenate(twins)
    sizes = [len(piece.vertices) for piece in pieces]
    return Assembly(
        vertices=vertices,
        triangles=joined,
        skin=Skin(
            np.concatenate([piece.skin.bones for piece in pieces]),
            np.concatenate([piece.skin.weights for piece in pieces]),
        ),
        places=np.concatenate([piece.places for piece in pieces]),
        normals=_welded(vertex_normals(vertices, joined), pairs),
        folds=np.concatenate([piece.folds for piece in pieces]),
        cut=np.concatenate([piece.cut for piece in pieces]),
        parts=of_triangles([piece.part for piece in pieces]),
        two_sided=of_triangles([piece.two_sided for piece in pieces]).astype(bool),
        material=of_triangles(list(range(len(pieces)))),
        materials=tuple(piece.fabric for piece in pieces),
        piece=np.repeat(np.arange(len(pieces)), sizes).astype(np.uint8),
        names=tuple(piece.name for piece in pieces),
        twins=pairs,
    )


def _welded(normals: np.ndarray, twins: np.ndarray) -> np.ndarray:
    """The normals, those of vertices at the same place made equal."""
    one, other = twins.T
    mean = normalised(normals[one] + normals[other])
    normals[one], normals[other] = mean, mean
    return normals


@dataclass(frozen=True)
class Figure:
    """A person in one pose; see `Surface`."""

    assembly: Assembly
    shown: np.ndarray
    """Rows of the assembly's triangles."""
    vertices: np.ndarray
    normals: np.ndarray
    shade: np.ndarray
    """(V,) float32 factor of the colour: folds are darker."""
    cut: np.ndarray
    lift: float
    """Metres by which the pose was moved up, so that it stands on the ground."""

    @cached_property
    def triangles(self) -> np.ndarray:
        return self.assembly.triangles[self.shown]

    @cached_property
    def two_sided(self) -> np.ndarray:
        return self.assembly.two_sided[self.shown]

    @cached_property
    def parts(self) -> np.ndarray:
        return self.assembly.parts[self.shown]

    def placed(self, yaw: float, x: float, z: float) -> Figure:
        """The figure turned by `yaw` radians about the vertical and moved to (x, z)."""
        moved = turned(self.vertices, yaw) + np.array([x, 0, z], np.float32)
        return replace(self, vertices=moved, normals=turned(self.normals, yaw))

    def paint(self, triangles: np.ndarray, weights: np.ndarray) -> Paint:
        whole = self.assembly
        triangles = self.shown[triangles]
        rows = whole.triangles[triangles]
        values = np.concatenate([self.normals, whole.places, self.shade[:, None]], 1)
        mixed = interpolate(values, rows, weights)
        normals, places, shade = mixed[:, :3], mixed[:, 3:6], mixed[:, 6:]
        albedo = np.empty((len(rows), 3), np.float32)
        gloss = np.empty(len(rows), np.float32)
        material = whole.material[triangles]
        for index in np.unique(material):
            own = np.flatnonzero(material == index)
            albedo[own] = whole.materials[index].albedo(places[own])
            gloss[own] = whole.materials[index].gloss
        return Paint(np.minimum(albedo * shade, _BRIGHTEST), normals, gloss)


def pose_figure(
    assembly: Assembly,
    moves: np.ndarray,
    cut: np.ndarray,
    hidden: frozenset[str],
    creases: int,
    grounded: bool,
) -> Figure:
    """Skin and fold the pieces whose names are not `hidden`, in the person's frame.

    `moves` (bones, 3, 4); `creases` is the seed of the folds, which change with a pose;
    `grounded`: the lowest point is moved to y = 0.
    """
    maps = blended(assembly.skin, moves)
    vertices = transformed(assembly.vertices, maps)
    normals = transformed(assembly.normals, maps, directions=True)
    waves = _waves(assembly, creases)
    depth = assembly.folds * waves
    folded = vertices + normals * (_SHADING * depth)[:, None]
    shaded = _welded(vertex_normals(folded, assembly.triangles), assembly.twins)
    vertices = vertices + normals * depth[:, None]
    shown = np.array([name not in hidden for name in assembly.names])[assembly.material]
    lift = 0.0
    if grounded:
        seen = np.array([name not in hidden for name in assembly.names])[assembly.piece]
        lift = -float(vertices[seen, 1].min())
        vertices[:, 1] += np.float32(lift)
    deep = np.clip(assembly.folds / np.float32(_DEEP), 0, 1) * np.clip(-waves, 0, 1)
    shade = 1 - np.float32(_DARKER) * deep
    return Figure(assembly, np.flatnonzero(shown), vertices, shaded, shade, cut, lift)


def _waves(assembly: Assembly, creases: int) -> np.ndarray:
    """(V,) float32 height of the folds: -1 in a crease, above 0 between creases."""
    rng = np.random.default_rng(creases)
    shift = rng.integers(0, _TILE, (len(assembly.names), 2))[assembly.piece]
    slant = rng.uniform(-0.6, 0.6, len(assembly.names)).astype(np.float32)[assembly.piece]
    across, along = assembly.places[:, 0], assembly.places[:, 1]
    column = (across + slant * along) * np.float32(_ACROSS) + shift[:, 0].astype(np.float32)
    row = along * np.float32(_ALONG) + shift[:, 1].astype(np.float32)
    waves = np.minimum(np.float32(1.8) * np.abs(_bilinear(row, column)) - 1, 1)
    one, other = assembly.twins.T
    waves[one] = waves[other] = (waves[one] + waves[other]) / 2
    return waves


def _bilinear(row: np.ndarray, column: np.ndarray) -> np.ndarray:
    top, left = np.floor(row), np.floor(column)
    down, right = (row - top)[:, None], (column - left)[:, None]
    y, x = top.astype(np.int64) % _TILE, left.astype(np.int64) % _TILE
    below, beside = (y + 1) % _TILE, (x + 1) % _TILE
    upper = _WAVES[y, x][:, None] * (1 - right) + _WAVES[y, beside][:, None] * right
    lower = _WAVES[below, x][:, None] * (1 - right) + _WAVES[below, beside][:, None] * right
    return (upper * (1 - down) + lower * down)[:, 0]
