from __future__ import annotations

import numpy as np
import pytest

from pipeline.world.noise import fractal_noise, volume_noise


@pytest.mark.parametrize(("side", "dimensions"), [(128, 2), (32, 3)])
def test_noise_is_normalised_and_periodic(side: int, dimensions: int) -> None:
    noise = fractal_noise(np.random.default_rng(1), side, dimensions, octaves=3)
    assert noise.shape == (side,) * dimensions
    assert noise.mean() == pytest.approx(0, abs=1e-5)
    assert noise.std() == pytest.approx(1, abs=1e-5)
    for axis in range(dimensions):
        inner = np.abs(np.diff(noise, axis=axis)).max()
        seam = np.abs(np.take(noise, 0, axis) - np.take(noise, -1, axis)).max()
        assert seam <= 1.2 * inner


def test_octaves_add_fine_structure() -> None:
    coarse, fine = (fractal_noise(np.random.default_rng(1), 128, 2, n) for n in (1, 5))
    assert np.abs(np.diff(fine)).mean() > 1.5 * np.abs(np.diff(coarse)).mean()


def test_volume_noise_has_a_period_of_64_cells() -> None:
    points = np.random.default_rng(2).uniform(0, 64, (200, 3)).astype(np.float32)
    noise = volume_noise(points)
    periods = np.array([64, -64, 128])
    np.testing.assert_array_equal(volume_noise(np.floor(points) + periods), noise)
    assert noise.std() > 0.5
