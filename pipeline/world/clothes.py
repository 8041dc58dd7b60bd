"""Garments: what they are made of, their cuts, and the pieces of cloth that they become."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.world.body import Skin
from pipeline.world.meshes import quads
from pipeline.world.patterns import RIGID, Colour, Fabric, Material, Painted
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
    """Metres per metre by which the cloth may narrow below the chest; 0 falls straight."""
    hem: float
    """Its end between hip joint (0) and knee (1); above the hip below 0."""
    sleeve: float
    """Its end between shoulder (0) and wrist (1)."""
    neckline: float = 0.03
    """Metres by which the front of the neck is open."""
    collar: float = 0.0
    """Metres of cloth around the neck."""
    flare: float = 0.0
    """Metres per metre by which the cloth widens below the waist."""
    hood: bool = False
    opening: str = "none"
    """How the front closes: "none", "zip" or "buttons"."""
    folds: float = 0.005
    """Metres: depth of the folds."""
    quilts: float = 0.0
    """Metres between the seams of a quilted jacket; 0: not quilted."""


@dataclass(frozen=True)
class Trousers:
    """Trousers, shorts or leggings."""

    kind: str
    fabric: Fabric
    ease: float
    taper: float
    length: float
    """Its end between crotch (0) and ankle (1)."""
    folds: float = 0.004


@dataclass(frozen=True)
class Skirt:
    """A skirt from the waist down."""

    kind: str
    fabric: Fabric
    hem: float
    """Its end between hip joint (0) and knee (1)."""
    flare: float
    folds: float = 0.006


@dataclass(frozen=True)
class Shoes:
    """A pair of shoes."""

    kind: str
    fabric: Fabric
    sole: Colour
    shaft: float
    """Metres above the ankle joint."""


@dataclass(frozen=True)
class Piece:
    """A part of a person, in the bind pose."""

    vertices: np.ndarray
    """(V, 3) float32 metres."""
    triangles: np.ndarray
    """(T, 3) int32."""
    skin: Skin
    places: np.ndarray
    """(V, 3) float32: where a vertex is on the pattern of its fabric."""
    fabric: Material
    part: int
    """Index in `PARTS`."""
    folds: np.ndarray
    """(V,) float32 metres."""
    cut: np.ndarray
    """(V,) float32; see `Surface.cut`."""
    name: str
    """What it is of: "skin", "hair", "top", "outer"..."""
    twins: np.ndarray
    """(S, 2) rows of vertices at the same place."""
    two_sided: bool = False


def tube_piece(
    name: str,
    vertices: np.ndarray,
    skin: Skin,
    fabric: Material,
    folds: np.ndarray,
    cut: np.ndarray,
    outward: bool,
    zone: float = 0.0,
    two_sided: bool = False,
) -> Piece:
    """A piece of `vertices` (R, C, 3): rings whose last point is at the place of the first."""
    rows, columns = vertices.shape[:2]
    triangles = quads(rows, columns)
    places = _places(vertices, zone)
    if isinstance(fabric, Fabric):
        fabric = replace(fabric, length=float(places[:, 1].max()))
    start = np.arange(rows) * columns
    return Piece(
        vertices=vertices.reshape(-1, 3).astype(np.float32),
        triangles=(triangles if outward else triangles[:, ::-1]).astype(np.int32),
        skin=skin,
        places=places,
        fabric=fabric,
        part=PART[name],
        folds=np.broadcast_to(folds, (rows, columns)).ravel().astype(np.float32),
        cut=np.broadcast_to(cut, (rows, columns)).ravel().astype(np.float32),
        name=name,
        twins=np.stack([start, start + columns - 1], 1),
        two_sided=two_sided,
    )


def rigid_piece(
    name: str, mesh: Mesh, tailor: Tailor, bone: str | int, material: Material | None = None
) -> Piece:
    """A piece that moves with one bone; without a `material` it has the colours of `mesh`."""
    count = len(mesh.vertices)
    number = bone if isinstance(bone, int) else tailor.body.bone(bone)
    weights = np.zeros((count, 4), np.float32)
    weights[:, 0] = 1
    return Piece(
        vertices=mesh.vertices,
        triangles=mesh.triangles,
        skin=Skin(np.full((count, 4), number), weights),
        places=mesh.colours if material is None else _projected(mesh.vertices),
        fabric=Painted(float(mesh.gloss.max())) if material is None else material,
        part=PART[name],
        folds=np.zeros(count, np.float32),
        cut=np.ones(count, np.float32),
        name=name,
        twins=np.zeros((0, 2), np.int64),
        two_sided=bool(mesh.two_sided.any()),
    )


def _projected(vertices: np.ndarray) -> np.ndarray:
    """(V, 3) places of a rigid piece: across, down, and a zone of its own."""
    x, y, _ = (vertices - vertices.mean(0)).T
    return np.stack([x, -y, np.full_like(x, RIGID)], 1).astype(np.float32)


def _places(vertices: np.ndarray, zone: float) -> np.ndarray:
    """(V, 3) metres around from the front, metres along from the last ring, and the zone."""
    rows, columns = vertices.shape[:2]
    width = np.linalg.norm(np.diff(vertices, axis=1), axis=2).sum(1).mean()
    around = np.broadcast_to(np.linspace(-0.5, 0.5, columns) * width, (rows, columns))
    steps = np.linalg.norm(np.diff(vertices.mean(1), axis=0), axis=1)
    along = np.concatenate([[0], np.cumsum(steps)])
    along = np.broadcast_to((along[-1] - along)[:, None], (rows, columns))
    places = np.stack([around, along, np.full_like(around, zone)], 2)
    return places.reshape(-1, 3).astype(np.float32)
