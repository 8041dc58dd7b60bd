from __future__ import annotations

import numpy as np
import pytest

from pipeline.world.textures import Texture


@pytest.fixture
def checks() -> Texture:
    image = np.indices((32, 64)).sum(0) % 2
    return Texture(np.repeat(image[..., None], 3, 2).astype(np.float32), 0.1)


def test_near_texture_shows_its_texels(checks: Texture) -> None:
    u = np.array([0.05, 0.15, 0.25, 6.45], np.float32)  # 6.4 m wide: the last is the first again
    near = np.full_like(u, 0.02)
    seen = checks.sample(u, np.full_like(u, 0.05), near, near)
    np.testing.assert_allclose(seen[:, 0], [0, 1, 0, 0], atol=1e-5)
    np.testing.assert_array_equal(seen[:, 3], 1)


@pytest.mark.parametrize(("width", "height"), [(2.0, 2.0), (2.0, 0.02), (0.02, 2.0)])
def test_far_or_oblique_texture_is_averaged(checks: Texture, width: float, height: float) -> None:
    u = np.linspace(-9, 9, 50, dtype=np.float32)
    seen = checks.sample(u, u[::-1].copy(), np.full_like(u, width), np.full_like(u, height))
    np.testing.assert_allclose(seen[:, 0], 0.5, atol=0.01)


def test_average_along_one_axis_preserves_the_other() -> None:
    stripes = np.zeros((64, 64, 3), np.float32)
    stripes[:, ::2] = 1
    texture = Texture(stripes, 0.1)
    u = np.array([0.05, 0.15], np.float32)
    seen = texture.sample(u, u, np.full_like(u, 0.02), np.full_like(u, 5))
    np.testing.assert_allclose(seen[:, 0], [1, 0], atol=1e-5)


def test_dark_values_are_stored_precisely() -> None:
    image = np.full((16, 16, 3), 0.012, np.float32)
    u = np.zeros(1, np.float32)
    assert Texture(image, 1.0).sample(u, u, u, u)[0, 0] == pytest.approx(0.012, rel=0.04)


def test_sides_that_are_no_powers_of_two_are_refused() -> None:
    with pytest.raises(ValueError, match="powers of 2"):
        Texture(np.zeros((16, 24, 3), np.float32), 1.0)
