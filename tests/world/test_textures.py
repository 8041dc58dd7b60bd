from __future__ import annotations

import numpy as np
import pytest

from pipeline.world.textures import Texture


def columns(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    return np.full(len(like), values, np.float32)


@pytest.fixture
def checks() -> Texture:
    image = np.indices((32, 64)).sum(0) % 2
    return Texture(np.repeat(image[..., None], 3, 2).astype(np.float32), 0.1)


def test_a_near_texture_shows_its_texels(checks: Texture) -> None:
    u = np.array([0.05, 0.15, 0.25, 6.45], np.float32)  # 6.4 m wide: the last is the first again
    seen = checks.sample(u, columns(0.05, u), columns(0.02, u), columns(0.02, u))
    np.testing.assert_allclose(seen[:, 0], [0, 1, 0, 0], atol=1e-5)
    np.testing.assert_array_equal(seen[:, 3], 1)


@pytest.mark.parametrize(("width", "height"), [(2.0, 2.0), (2.0, 0.02), (0.02, 2.0)])
def test_a_far_or_steep_texture_is_a_mean(checks: Texture, width: float, height: float) -> None:
    u = np.linspace(-9, 9, 50, dtype=np.float32)
    seen = checks.sample(u, u[::-1].copy(), columns(width, u), columns(height, u))
    np.testing.assert_allclose(seen[:, 0], 0.5, atol=0.01)


def test_a_mean_along_one_axis_keeps_the_other() -> None:
    stripes = np.zeros((64, 64, 3), np.float32)
    stripes[:, ::2] = 1
    texture = Texture(stripes, 0.1)
    u = np.array([0.05, 0.15], np.float32)
    seen = texture.sample(u, u, columns(0.02, u), columns(5, u))
    np.testing.assert_allclose(seen[:, 0], [1, 0], atol=1e-5)


def test_dark_values_keep_their_steps() -> None:
    image = np.full((16, 16, 3), 0.012, np.float32)
    u = np.zeros(1, np.float32)
    assert Texture(image, 1.0).sample(u, u, u, u)[0, 0] == pytest.approx(0.012, rel=0.04)


def test_sides_must_be_powers_of_two() -> None:
    with pytest.raises(ValueError, match="powers of 2"):
        Texture(np.zeros((16, 24, 3), np.float32), 1.0)
