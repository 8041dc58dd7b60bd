"""Colours and textures that every drawing shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

Colour = tuple[int, ...]

PALETTE = np.array(
    [
        [200, 40, 40],
        [40, 70, 190],
        [30, 140, 60],
        [230, 200, 50],
        [235, 235, 235],
        [35, 35, 40],
        [130, 60, 150],
        [230, 130, 40],
        [120, 120, 125],
        [110, 75, 45],
    ]
)
"""(10, 3) RGB colours of clothes and bags."""


def vary(rng: np.random.Generator, colour: ArrayLike, spread: float = 12) -> Colour:
    """`colour` with Gaussian noise of standard deviation `spread` on each channel."""
    noisy = np.asarray(colour) + rng.normal(0, spread, 3)
    red, green, blue = (min(255, max(0, int(value))) for value in noisy)
    return red, green, blue


def any_colour(rng: np.random.Generator, low: int = 20, high: int = 240) -> Colour:
    """A colour with each channel uniform in [low, high), varied a little."""
    return vary(rng, rng.integers(low, high, 3))


def darker(colour: Colour, factor: float) -> Colour:
    """`colour` times `factor` < 1, for a side in the shade."""
    return tuple(int(value * factor) for value in colour)


def smooth_noise(
    rng: np.random.Generator, size: tuple[int, int], cell: int, amplitude: float
) -> np.ndarray:
    """(height, width) float32 Gaussian noise, interpolated from one value per `cell` pixels."""
    height, width = size
    grid = rng.normal(0, amplitude, (max(height // cell, 2), max(width // cell, 2)))
    image = Image.fromarray(grid.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def texture(
    rng: np.random.Generator, size: tuple[int, int], amplitude: float, scale: float = 1.0
) -> Image.Image:
    """A (height, width) surface of one random colour with noise on three scales.

    `scale` enlarges the grain: its cells are 4, 12 and 32 pixels at `scale` 1.
    """
    surface = np.empty((*size, 3), np.float32)
    surface[:] = rng.integers(60, 200, 3)
    for cell in (4, 12, 32):
        noise = smooth_noise(rng, size, max(1, round(cell * scale)), amplitude)
        surface += noise[..., None] * rng.uniform(0.5, 1.0, 3).astype(np.float32)
    return Image.fromarray(np.clip(surface, 0, 255).astype(np.uint8))
