"""Textures of flat marks on the ground: 64 x 64 texels, with coverage."""

from __future__ import annotations

import numpy as np

from pipeline.world import Rng
from pipeline.world.noise import fractal_noise
from pipeline.world.textures import Texture

_SIDE = 64
_TEXEL = 0.01


def cover(rng: Rng) -> Texture:
    """Paint a round or square iron cover in its frame."""
    x, y = _grid()
    radius = np.hypot(x, y) if rng.random() < 0.6 else np.maximum(np.abs(x), np.abs(y))
    iron = np.array([0.10, 0.095, 0.09]) * rng.uniform(0.7, 1.6)
    studs = 1 + 0.25 * ((np.floor(x * 9) + np.floor(y * 9)) % 2 == 0) * (radius < 0.7)
    tone = studs * np.where((radius > 0.76) & (radius < 0.84), 0.3, 1)
    return _texture(iron * tone[..., None], radius < 0.95)


def grating(rng: Rng) -> Texture:
    """Paint a drain with slots."""
    x, y = _grid()
    slots = (np.abs(x) < 0.75) & (np.abs(y) < 0.8) & (np.floor(y * 8) % 2 == 0)
    iron = np.array([0.13, 0.125, 0.12]) * rng.uniform(0.7, 1.4)
    return _texture(np.where(slots, 0.15, 1)[..., None] * iron, _inside(0.95))


def repair(rng: Rng) -> Texture:
    """Paint a patch of newer, darker tar with a seam."""
    noise = fractal_noise(rng, _SIDE, 2, 4)
    x, y = _grid()
    rim = np.maximum(np.abs(x), np.abs(y)) > 0.88
    tone = rng.uniform(0.09, 0.16) * (1 + 0.07 * noise) * np.where(rim, 0.7, 1)
    return _texture(np.repeat(tone[..., None], 3, 2), _inside(0.95))


def puddle(rng: Rng) -> Texture:
    """Paint water that mirrors the sky, with a damp border."""
    x, y = _grid()
    depth = 0.75 - np.hypot(x, y) + 0.13 * fractal_noise(rng, _SIDE, 2, 3)
    water = np.clip(depth * 12, 0, 1)[..., None] * rng.uniform(0.5, 1)
    damp = 0.55 * np.clip((depth + 0.15) * 6, 0, 1)
    mirrored = np.array([0.26, 0.28, 0.30]) * (0.75 + 0.25 * y[..., None])
    colour = 0.05 + (mirrored - 0.05) * water
    return _texture(colour, np.maximum(damp, 0.85 * water[..., 0]))


def stain(rng: Rng) -> Texture:
    """Paint oil or dirt with a soft border."""
    x, y = _grid()
    depth = 0.6 - np.hypot(x, y) + 0.22 * fractal_noise(rng, _SIDE, 2, 4)
    return _texture(np.full((_SIDE, _SIDE, 3), 0.06), 0.5 * np.clip(depth * 1.6, 0, 1))


def leaves(rng: Rng) -> Texture:
    """Paint a drift of leaves."""
    x, y = _grid()
    noise = fractal_noise(rng, _SIDE, 2, 4)
    grain = rng.random((_SIDE, _SIDE))
    thick = np.clip(1.1 - 1.2 * np.hypot(x, y) + 0.3 * noise, 0, 1)
    brown = np.array([0.20, 0.13, 0.06]) * (0.5 + grain)[..., None]
    return _texture(brown, grain < 0.75 * thick)


def line(rng: Rng) -> Texture:
    """Paint a worn line along y."""
    worn = np.clip(1.3 - np.abs(fractal_noise(rng, _SIDE, 2, 5, 0.8)) * rng.uniform(0.2, 0.8), 0, 1)
    x, _ = _grid()
    white = np.array([0.6, 0.59, 0.56]) * rng.uniform(0.8, 1)
    return _texture(np.broadcast_to(white, (_SIDE, _SIDE, 3)), worn * (np.abs(x) < 0.9))


def band(rng: Rng) -> Texture:
    """Paint a row of paving of another colour, which tints the ground below."""
    x, y = _grid()
    stones = 0.6 + 0.1 * rng.standard_normal(8)[np.floor((x + 1) * 4).astype(int)]
    tone = rng.uniform(0.08, 0.5) * np.array([1.03, 1, 0.95])
    return _texture(np.broadcast_to(tone, (_SIDE, _SIDE, 3)), stones * (np.abs(y) < 0.95))


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of the texels, (64, 64) each, from -1 to 1."""
    y, x = (np.indices((_SIDE, _SIDE)) + 0.5) * (2 / _SIDE) - 1
    return x, y


def _inside(limit: float) -> np.ndarray:
    """Return (64, 64) bool: inside the square with the half side `limit`."""
    x, y = _grid()
    return np.maximum(np.abs(x), np.abs(y)) < limit


def _texture(colour: np.ndarray, coverage: np.ndarray) -> Texture:
    """Make a texture of `colour` (64, 64, 3) and `coverage` (64, 64)."""
    coverage = np.asarray(coverage, np.float32)[..., None]
    image = np.concatenate([colour.astype(np.float32) * coverage, coverage], 2)
    return Texture(image, _TEXEL)
