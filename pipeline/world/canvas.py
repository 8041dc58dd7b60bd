"""A canvas in metres on which textures of houses, hedges and fences are painted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.world.textures import Texture

BRICKS = ((0.26, 0.12, 0.085), (0.33, 0.20, 0.13), (0.36, 0.29, 0.21), (0.20, 0.12, 0.10))
STONES = ((0.40, 0.36, 0.29), (0.33, 0.31, 0.28), (0.45, 0.43, 0.40))
"""Albedos of bricks and of stones."""


@dataclass(frozen=True)
class Canvas:
    """An image of a wall in metres: x to the right, y up from the ground."""

    image: np.ndarray
    """(H, W, 3) or (H, W, 4) float32, top row first."""
    texel: float

    @property
    def height(self) -> float:
        """Metres."""
        return self.image.shape[0] * self.texel

    @property
    def width(self) -> float:
        """Metres, after which the wall repeats."""
        return self.image.shape[1] * self.texel

    @property
    def up(self) -> np.ndarray:
        """(H, 1) height of each row in metres above the ground."""
        return self.height - (np.arange(self.image.shape[0])[:, None] + 0.5) * self.texel

    def part(self, left: float, right: float, bottom: float, top: float) -> np.ndarray:
        """The pixels of a rectangle as a view, clipped to the image; it may be empty."""
        columns = self.image.shape[1]
        first, last = (round((self.height - y) / self.texel) for y in (top, bottom))
        start, end = (round(x / self.texel) for x in (left, right))
        return self.image[max(0, first) : max(0, last), max(0, start) : max(0, min(end, columns))]

    def texture(self) -> Texture:
        """The finished texture."""
        return Texture(np.clip(self.image, 0.004, 0.95), self.texel)


def tiled(noise: np.ndarray, columns: int) -> np.ndarray:
    """(side, columns): `noise` repeated to the right."""
    return np.tile(noise, (1, columns // noise.shape[1]))


def lay_courses(
    rng: np.random.Generator,
    canvas: Canvas,
    height: int,
    width: int,
    spread: float,
    bond: bool = True,
) -> None:
    """Lay stones of `height` by `width` texels with mortar; `bond` shifts every second row."""
    rows, columns = canvas.image.shape[:2]
    y, x = np.indices((rows, columns), np.int32)
    y = rows - 1 - y
    row = y // height
    x = (x + row % 2 * (width // 2) * bond) % columns
    tones = rng.normal(0, spread, (rows // height + 1, columns // width))
    canvas.image[:] *= np.maximum(1 + tones[row, x // width], 0.3)[..., None].astype(np.float32)
    mortar = (y % height == 0) | (x % width == 0)
    pale = np.float32(rng.uniform(0.15, 0.4))
    canvas.image[mortar] = canvas.image[mortar] * np.float32(0.5) + pale * np.float32(0.5)


def varied(rng: np.random.Generator, colours: tuple[tuple[float, ...], ...]) -> np.ndarray:
    """One of the colours with slightly changed brightness and hue."""
    colour = np.array(colours[rng.integers(len(colours))], np.float32)
    return (colour * rng.uniform(0.8, 1.2) * rng.uniform(0.95, 1.05, 3)).astype(np.float32)
