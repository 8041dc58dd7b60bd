"""Textures in metres, filtered against aliasing at any distance and angle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_LEVELS = 5  # averages over 1, 2, 4, 8 and 16 texels along each axis
_SWITCH = 1.4  # a level is used up to this ratio of a pixel to its averages


class Texture:
    """A periodic image with a ripmap: averages over all combinations of widths and heights.

    Square roots of the values are stored in 8 bits, which resolves dark values finely.
    """

    def __init__(self, image: np.ndarray, texel: float) -> None:
        """Take an `image` (H, W, 3) or, with coverage, (H, W, 4); values are clipped to 0 to 1.

        `texel` is in metres. Height and width are powers of 2. Colours are premultiplied by the
        coverage.
        """
        height, width = image.shape[:2]
        if height & (height - 1) or width & (width - 1):
            raise ValueError(f"texture: found {height} x {width} texels, expected powers of 2")
        self.texel = texel
        self.size = (height * texel, width * texel)
        self._shape = (height, width)
        planes = np.ones((4, height, width), np.float32)
        planes[: image.shape[2]] = np.moveaxis(image, 2, 0)
        self._starts = np.zeros((_LEVELS, _LEVELS), np.int64)
        self._words = self._averages(np.clip(planes, 0, 1))

    def _averages(self, image: np.ndarray) -> np.ndarray:
        """Return all averages of (4, H, W), concatenated, as one 32-bit word per texel."""
        parts, start = [], 0
        for row in range(_LEVELS):
            flat = image
            for column in range(_LEVELS):
                self._starts[row, column] = start
                parts.append(_words(flat))
                start += len(parts[-1])
                flat = _halved(flat, 2)
            image = _halved(image, 1)
        return np.concatenate(parts)

    @property
    def nbytes(self) -> int:
        """Size in memory in bytes."""
        return self._words.nbytes

    def sample(
        self, u: np.ndarray, v: np.ndarray, width: np.ndarray, height: np.ndarray
    ) -> np.ndarray:
        """Return colour and coverage (P, 4) float32 at `u` (P,) metres right and `v` (P,) down.

        `width` and `height` (P,) are the metres that a pixel covers along the two axes.
        """
        column, left, right, x = self._axis(u, width, 1)
        row, upper, lower, y = self._axis(v, height, 0)
        start = self._starts[row, column].astype(np.int32)
        pitch = np.right_shift(self._shape[1], column)
        upper, lower = start + upper * pitch, start + lower * pitch
        top = self._mixed(upper + left, upper + right, x)
        bottom = self._mixed(lower + left, lower + right, x)
        mixed = top + (bottom - top) * y
        return (mixed * mixed).T

    def _axis(
        self, along: np.ndarray, width: np.ndarray, axis: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return level, texels before and after, and weight of the texel after, each (P,)."""
        limits = self.texel * _SWITCH * 2.0 ** np.arange(_LEVELS - 1)
        level = np.searchsorted(limits.astype(np.float32), width).astype(np.int32)
        scale = (1 / (self.texel * 2.0 ** np.arange(_LEVELS))).astype(np.float32)
        position = along * scale[level] - np.float32(0.5)
        before = np.floor(position)
        weight = position - before
        before = before.astype(np.int32)
        last = np.right_shift(np.int32(self._shape[axis]), level) - 1
        return level, before & last, (before + 1) & last, weight

    def _mixed(self, before: np.ndarray, after: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Interpolate the roots (4, P) of two texels."""
        first, second = _roots(self._words[before]), _roots(self._words[after])
        return first + (second - first) * weight


def _words(image: np.ndarray) -> np.ndarray:
    """Pack the roots of (4, H, W) values 0 to 1 as (H * W,) uint32, a byte each."""
    roots = np.sqrt(image)
    roots *= np.float32(255)
    roots += np.float32(0.5)
    first, second, third, fourth = roots.astype(np.uint32).reshape(4, -1)
    return first | second << 8 | third << 16 | fourth << 24


def _roots(words: np.ndarray) -> np.ndarray:
    """Unpack the roots (4, P) float32 from `words` (P,)."""
    return np.multiply(words.view(np.uint8).reshape(-1, 4).T, np.float32(1 / 255), order="C")


def _halved(image: np.ndarray, axis: int) -> np.ndarray:
    """Average pairs of texels along an axis, unless it has only one."""
    if image.shape[axis] == 1:
        return image
    even, odd = (slice(0, None, 2), slice(1, None, 2))
    cut = (slice(None),) * axis
    mean: np.ndarray = image[(*cut, even)] + image[(*cut, odd)]
    mean *= np.float32(0.5)
    return mean


TexturePainter = Callable[[np.random.Generator], Texture]
