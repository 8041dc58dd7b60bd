"""Periodic fractal noise in two and three dimensions."""

from __future__ import annotations

from functools import cache

import numpy as np

_SIDE = 64  # cells of the volume
_SEED = 7


def fractal_noise(
    rng: np.random.Generator, side: int, dimensions: int, octaves: int = 5, gain: float = 0.55
) -> np.ndarray:
    """Return periodic noise (side, ...) float32 in `dimensions` axes, mean 0 and variance 1."""
    total = np.zeros((side,) * dimensions, np.float32)
    for octave in range(octaves):
        cells = 4 << octave
        if cells > side:
            break
        grid = rng.standard_normal((cells,) * dimensions, np.float32)
        for axis in range(dimensions):
            grid = _upsampled(grid, side, axis)
        total += np.float32(gain**octave) * grid
    total -= total.mean(dtype=np.float64).astype(np.float32)
    return total / total.std(dtype=np.float64).astype(np.float32)


def _upsampled(grid: np.ndarray, side: int, axis: int) -> np.ndarray:
    """Interpolate `grid` smoothly and periodically to `side` values along `axis`."""
    cells = grid.shape[axis]
    position = np.arange(side) * cells / side
    cell = position.astype(np.int64)
    step = (position - cell).astype(np.float32)
    step = step * step * (3 - 2 * step)
    step = step.reshape([-1 if other == axis else 1 for other in range(grid.ndim)])
    here, following = np.take(grid, cell, axis), np.take(grid, (cell + 1) % cells, axis)
    return here * (1 - step) + following * step


@cache
def _volume() -> np.ndarray:
    return fractal_noise(np.random.default_rng(_SEED), _SIDE, 3, octaves=4, gain=0.6)


def volume_noise(points: np.ndarray) -> np.ndarray:
    """Return noise (P,) float32 at `points` (P, 3) in cells; its period is 64 cells."""
    x, y, z = np.floor(points).astype(np.int32).T % _SIDE
    return _volume()[x, y, z]
