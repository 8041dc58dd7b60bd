"""Materials of people: skin, shoes, painted things and hair; clothes are in `fabrics`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.world.fabrics import Colour, Fabric
from pipeline.world.noise import volume_noise


class Material(Protocol):
    """Appearance of a piece; see `Fabric.albedo`."""

    @property
    def gloss(self) -> float: ...

    def albedo(self, uvw: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Complexion:
    """Skin with a face; texture coordinates: positions on `Body.average`, in metres."""

    colour: Colour
    hair: Colour
    beard: float = 0.0
    """Strength of the beard, 0 to 1."""
    lips: float = 0.3
    glasses: bool = False
    gloss: float = 0.06

    def albedo(self, uvw: np.ndarray) -> np.ndarray:
        skin = np.array(self.colour, np.float32)
        noise = volume_noise(uvw * np.float32(60))
        albedo = skin * (1 + np.float32(0.05) * noise)[:, None]
        face = np.flatnonzero(uvw[:, 1] > _CHIN - 0.03)
        if len(face):
            albedo[face] = self._face(uvw[face], albedo[face])
        return albedo

    def _face(self, uvw: np.ndarray, albedo: np.ndarray) -> np.ndarray:
        x, y, z = np.abs(uvw[:, 0]), uvw[:, 1], uvw[:, 2]
        front = z > 0.1
        hair = np.array(self.hair, np.float32)
        skin = np.array(self.colour, np.float32)
        red = skin * np.array([1.0, 0.55, 0.5], np.float32)
        jaw = np.clip((1.505 - y) / 0.03, 0, 1) * np.clip((z - 0.03) / 0.03, 0, 1)
        cheeks = _blob(x, y, 0.045, 1.515, 0.025, 0.025)
        lips = _blob(x, y, 0.0, 1.4905, 0.026, 0.009)
        brows = _blob(x, y, 0.031, 1.579, 0.019, 0.006)
        sockets = _blob(x, y, 0.031, 1.559, 0.02, 0.011)
        layers = [
            (red, 0.25 * cheeks * front),
            (hair, self.beard * (jaw * (y > _CHIN - 0.012))),
            (red * np.float32(0.8), (0.4 + self.lips) * lips * front),
            (hair, 0.8 * brows * front),
            (skin * np.float32(0.25), 0.75 * sockets * front),
        ]
        if self.glasses:
            layers.append((_FRAMES, 0.85 * _frames(x, y) * front))
        for colour, amount in layers:
            albedo = _mix(albedo, colour, amount)
        return albedo


_CHIN = 1.448  # metres: height on the average body
_FRAMES = np.array([0.02, 0.02, 0.022], np.float32)


def _frames(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return (P,): 1 on the frames of glasses."""
    ring = _blob(x, y, 0.032, 1.557, 0.028, 0.021) - 2 * _blob(x, y, 0.032, 1.557, 0.02, 0.013)
    bridge = (np.abs(y - np.float32(1.563)) < 0.004) & (x < 0.014)
    return np.maximum(np.clip(3 * ring, 0, 1), bridge)


def _blob(
    x: np.ndarray, y: np.ndarray, at_x: float, at_y: float, width: float, height: float
) -> np.ndarray:
    """Return (P,): 1 at the centre of an ellipse, 0 outside."""
    distance = ((x - np.float32(at_x)) / np.float32(width)) ** 2
    distance += ((y - np.float32(at_y)) / np.float32(height)) ** 2
    return np.clip(1.4 - 1.4 * distance, 0, 1)


def _mix(albedo: np.ndarray, colour: np.ndarray, amount: np.ndarray) -> np.ndarray:
    return albedo + amount[:, None].astype(np.float32) * (colour - albedo)


@dataclass(frozen=True)
class Leather:
    """A shoe; texture coordinates: metres around, along and above the ground."""

    upper: Fabric
    sole: Colour
    height: float
    """Height of the sole in metres."""

    @property
    def gloss(self) -> float:
        return self.upper.gloss

    def albedo(self, uvw: np.ndarray) -> np.ndarray:
        flat = uvw * np.array([1, 1, 0], np.float32)
        low = (uvw[:, 2] < np.float32(self.height)).astype(np.float32)
        return _mix(self.upper.albedo(flat), np.array(self.sole, np.float32), low)


@dataclass(frozen=True)
class Painted:
    """Vertex colours; texture coordinates: linear albedo."""

    gloss: float

    def albedo(self, uvw: np.ndarray) -> np.ndarray:
        return uvw


@dataclass(frozen=True)
class Strands:
    """Hair; texture coordinates: those of a `tube_piece`."""

    colour: Colour
    seed: int = 0
    gloss: float = 0.1

    def albedo(self, uvw: np.ndarray) -> np.ndarray:
        base = np.array(self.colour, np.float32)
        along = uvw * np.array([260, 24, 40], np.float32) + np.float32(self.seed % 64)
        streaks = np.clip(1 + 0.3 * volume_noise(along), 0.3, 2)
        return base * streaks[:, None]
