"""Periodic fractal noise in two and three dimensions."""

from __future__ import annotations

from functools import cache

import numpy as np

_SIDE = 64  # cells of the volume
_SEED = 7


def fractal_noise(
    rng: np.random.Generator, side: int, dimensions: int, octaves: int = 5, gain: float = 0.55
) -> np.ndarray:
    """(side, ...) float32 in `dimensions` axes: repeats without a seam, mean 0, deviation 1."""
    total = np.zeros((side,) * dimensions, np.float32)
    for octave in range(octaves):
        cells = 4 << octave
        if cells > side:
            break
        grid = rng.standard_normal((cells,) * dimensions, np.float32)
        for axis in range(dimensions):
            grid = _stretched(grid, side, axis)
        total += np.float32(gain**octave) * grid
    total -= total.mean(dtype=np.float64).astype(np.float32)
    return total / total.std(dtype=np.float64).astype(np.float32)


def _stretched(grid: np.ndarray, side: int, axis: int) -> np.ndarray:
    """`grid` with `side` values along `axis`, smoothly between its own, end to start as well."""
    cells = grid.shape[axis]
    place = np.arange(side) * cells / side
    cell = place.astype(np.int64)
    step = (place - cell).astype(np.float32)
    step = step * step * (3 - 2 * step)
    step = step.reshape([-1 if other == axis else 1 for other in range(grid.ndim)])
    here, following = np.take(grid, cell, axis), np.take(grid, (cell + 1) % cells, axis)
    return here * (1 - step) + following * step


@cache
def _volume() -> np.ndarray:
    return fractal_noise(np.random.default_rng(_SEED), _SIDE, 3, octaves=4, gain=0.6)


@cache
def _slopes() -> np.ndarray:
    return np.stack(np.gradient(_volume()), -1).astype(np.float32)


def volume_noise(points: np.ndarray) -> np.ndarray:
    """(P,) noise at `points` (P, 3), whose unit is a cell; it repeats after 64 cells."""
    return _volume()[_cells(points)]


def volume_slopes(points: np.ndarray) -> np.ndarray:
    """(P, 3) slopes of the noise at `points` (P, 3): what bends normals into folds."""
    return _slopes()[_cells(points)]


def _cells(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y, z = np.floor(points).astype(np.int32).T % _SIDE
    return x, y, z
