"""Garments, and the pieces of mesh that people are assembled from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from pipeline.world.body import Skin
from pipeline.world.fabrics import RIGID, TRUNK, Colour, Fabric
from pipeline.world.materials import Material, Painted
from pipeline.world.meshes import quads
from pipeline.world.surfaces import PART, Mesh
from pipeline.world.tubes import Tailor


@dataclass(frozen=True)
class UpperGarment:
    """A shirt, sweater, jacket, coat or dress."""

    kind: str
    fabric: Fabric
    ease: float
    """Metres between the body and the cloth."""
    taper: float
    """Maximum narrowing below the chest, metres per metre; 0 falls straight."""
    hem: float
    """Height of the hem; see `Heights.hem`."""
    sleeve: float
    """End of the sleeve: 0 at the shoulder, 1 at the wrist."""
    neckline: float = 0.03
    """Depth of the neckline in front, in metres."""
    collar: float = 0.0
    """Height of the collar in metres."""
    flare: float = 0.0
    """Widening below the waist, metres per metre."""
    hood: bool = False
    opens: bool = False
    """Whether the front has a zip or buttons."""
    folds: float = 0.005
    """Depth of the folds in metres."""
    quilts: float = 0.0
    """Distance between the seams of a quilted jacket in metres; 0: not quilted."""


@dataclass(frozen=True)
class Trousers:
    """Trousers, shorts or leggings; see `UpperGarment` for the fields."""

    kind: str
    fabric: Fabric
    ease: float
    taper: float
    length: float
    """End of the legs; see `Heights.trouser_hem`."""
    folds: float = 0.004


@dataclass(frozen=True)
class Skirt:
    """A skirt from the waist down; see `UpperGarment` for the fields."""

    kind: str
    fabric: Fabric
    hem: float
    flare: float
    folds: float = 0.006


@dataclass(frozen=True)
class Shoes:
    """A pair of shoes."""

    kind: str
    fabric: Fabric
    sole: Colour
    shaft: float
    """Height above the ankle joint in metres."""


@dataclass(frozen=True)
class Piece:
    """A part of a person as a mesh in the bind pose."""

    vertices: np.ndarray
    """(V, 3) float32 metres."""
    triangles: np.ndarray
    """(T, 3) int32."""
    skin: Skin
    uvw: np.ndarray
    """(V, 3) float32 texture coordinates: the input of `material.albedo`."""
    material: Material
    part: int
    """Index in `PARTS`."""
    folds: np.ndarray
    """(V,) float32 depth of the folds in metres."""
    cut: np.ndarray
    """(V,) float32; see `Surface.cut`."""
    name: str
    """A name of `PARTS`, "hood_up" or "hood_down"."""
    twins: np.ndarray
    """(S, 2) pairs of vertices at the same position."""
    two_sided: bool = False


def tube_piece(
    name: str,
    vertices: np.ndarray,
    skin: Skin,
    material: Material,
    folds: ArrayLike,
    cut: ArrayLike,
    outward: bool = False,
    zone: float = TRUNK,
    two_sided: bool = False,
) -> Piece:
    """Make a tube of `vertices` (R, C, 3); the last point of each ring repeats the first.

    `folds` and `cut` broadcast to (R, C); `outward`: columns run counter-clockwise seen from the
    last ring.
    """
    rows, columns = vertices.shape[:2]
    triangles = quads(rows, columns).astype(np.int32)
    uvw = _tube_uvw(vertices, zone)
    if isinstance(material, Fabric):
        material = replace(material, length=float(uvw[:, 1].max()))
    start = np.arange(rows) * columns
    points = vertices.reshape(-1, 3).astype(np.float32)
    faces = triangles if outward else triangles[:, ::-1]
    return replace(
        mesh_piece(name, points, faces, skin, uvw, material, two_sided),
        folds=np.broadcast_to(folds, (rows, columns)).ravel().astype(np.float32),
        cut=np.broadcast_to(cut, (rows, columns)).ravel().astype(np.float32),
        twins=np.stack([start, start + columns - 1], 1),
    )


def rigid_piece(
    name: str, mesh: Mesh, tailor: Tailor, bone: str | int, material: Material | None = None
) -> Piece:
    """Make a piece that moves with one bone; without a `material` it keeps the mesh's colours."""
    count = len(mesh.vertices)
    number = bone if isinstance(bone, int) else tailor.body.bone(bone)
    weights = np.zeros((count, 4), np.float32)
    weights[:, 0] = 1
    skin = Skin(np.full((count, 4), number), weights)
    uvw = mesh.colours if material is None else _rigid_uvw(mesh.vertices)
    painted = material or Painted(float(mesh.gloss.max()))
    two_sided = bool(mesh.two_sided.any())
    return mesh_piece(name, mesh.vertices, mesh.triangles, skin, uvw, painted, two_sided)


def mesh_piece(
    name: str,
    vertices: np.ndarray,
    triangles: np.ndarray,
    skin: Skin,
    uvw: np.ndarray,
    material: Material,
    two_sided: bool = False,
) -> Piece:
    """Make a piece without folds, holes or twins."""
    count = len(vertices)
    return Piece(
        vertices=vertices,
        triangles=triangles,
        skin=skin,
        uvw=uvw,
        material=material,
        part=PART[name],
        folds=np.zeros(count, np.float32),
        cut=np.ones(count, np.float32),
        name=name,
        twins=np.zeros((0, 2), np.int64),
        two_sided=two_sided,
    )


def _rigid_uvw(vertices: np.ndarray) -> np.ndarray:
    """Return texture coordinates (V, 3): metres across, metres down, `RIGID`."""
    x, y, _ = (vertices - vertices.mean(0)).T
    return np.stack([x, -y, np.full_like(x, RIGID)], 1).astype(np.float32)


def _tube_uvw(vertices: np.ndarray, zone: float) -> np.ndarray:
    """Return texture coordinates (V, 3): metres around from the front, from the last ring, zone."""
    rows, columns = vertices.shape[:2]
    width = np.linalg.norm(np.diff(vertices, axis=1), axis=2).sum(1).mean()
    around = np.broadcast_to(np.linspace(-0.5, 0.5, columns) * width, (rows, columns))
    steps = np.linalg.norm(np.diff(vertices.mean(1), axis=0), axis=1)
    along = np.concatenate([[0], np.cumsum(steps)])
    along = np.broadcast_to((along[-1] - along)[:, None], (rows, columns))
    uvw = np.stack([around, along, np.full_like(around, zone)], 2)
    return uvw.reshape(-1, 3).astype(np.float32)
