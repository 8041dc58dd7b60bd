from __future__ import annotations

import numpy as np
import pytest

from pipeline.synthetic.objects import ASPECT, KINDS, draw_object


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("height", [24, 120])
def test_an_object_fills_its_box_with_opaque_pixels(kind: str, height: int):
    low, high = ASPECT[kind]
    width = int(height * (low + high) / 2)
    sprite = draw_object(kind, np.random.default_rng(0), width, height)
    assert sprite.mode == "RGBA"
    assert sprite.size == (width, height)
    alpha = np.asarray(sprite)[..., 3]
    assert set(np.unique(alpha)) <= {0, 255}
    left, top, right, bottom = sprite.getbbox()
    assert right - left > 0.55 * width
    assert bottom - top > 0.8 * height


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_depends_only_on_its_generator(kind: str):
    first, again, other = (
        np.asarray(draw_object(kind, np.random.default_rng(seed), 60, 60)) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
