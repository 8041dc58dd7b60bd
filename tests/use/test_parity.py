"""Features and rankings of two networks are compared; ties of the selection are recognised."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.evaluation.features import Labels
from pipeline.use.parity import TOLERANCE, Parity
from pipeline.use.rankings import Embedded, compare_rankings, largest_swaps

KEYS = ["a", "b", "c"]


def step(images: np.ndarray) -> np.ndarray:
    """Embed images (B, H, W, 3) by their mean: one feature up to 100, another one above."""
    bright = images.reshape(len(images), -1).mean(axis=1) > 100
    return np.where(bright[:, None], np.float32([1, 0]), np.float32([0, 1]))


def always_bright(images: np.ndarray) -> np.ndarray:
    return np.tile(np.float32([1, 0]), (len(images), 1))


def constant_images(*values: int) -> np.ndarray:
    return np.stack([np.full((2, 2, 3), value, np.uint8) for value in values])


def test_undecided_image_is_compared_with_the_other_choice() -> None:
    parity = Parity(step, always_bright, "m.onnx")
    expected, found = parity.compare(constant_images(101, 100, 200), KEYS)
    np.testing.assert_array_equal(expected, found)
    assert parity.undecided == ["b"]
    assert (parity.images, parity.largest_difference) == (3, 0.0)


def test_wrong_feature_is_refused() -> None:
    parity = Parity(step, always_bright, "m.onnx")
    with pytest.raises(InputError, match=r"^m\.onnx: expected .* of image c within 1e-05, found a"):
        parity.compare(constant_images(101, 100, 99), KEYS)


@pytest.mark.parametrize("change", [2 * TOLERANCE, np.nan])
def test_inexact_feature_is_refused(change: float) -> None:
    parity = Parity(always_bright, lambda images: always_bright(images) + np.float32(change), "m")
    with pytest.raises(InputError, match="of image a within"):
        parity.compare(constant_images(1, 2, 3), KEYS)


def test_other_width_is_refused() -> None:
    parity = Parity(step, lambda images: step(images)[:, :1], "m")
    with pytest.raises(InputError, match=r"expected features \(3, 2\), found \(3, 1\)"):
        parity.compare(constant_images(1, 2, 3), KEYS)


def test_largest_swaps_equal_a_loop() -> None:
    rng = np.random.default_rng(0)
    first = rng.random((5, 20), np.float32)
    second = first + rng.normal(0, 0.05, first.shape).astype(np.float32)
    expected = []
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        by_first = sorted(range(20), key=lambda i, one=one: -one[i])
        by_second = sorted(range(20), key=lambda i, other=other: -other[i])
        pairs = zip(by_first, by_second, strict=True)
        expected.append(max(abs(one[i] - one[j]) for i, j in pairs))
    assert min(expected) > 0
    np.testing.assert_allclose(largest_swaps(first, second), expected, rtol=1e-6)


def test_rankings_are_compared() -> None:
    """The second network takes a stranger for the match of the second query."""
    angles = {"query": [0.0, 1.0], "first": [0.0, 1.0, 1.2], "second": [0.0, 1.2, 1.0]}
    vectors = {
        name: np.float32([[np.cos(a), np.sin(a)] for a in values])
        for name, values in angles.items()
    }
    query = Embedded(Labels(np.array([1, 2]), np.array([1, 1])), *[vectors["query"]] * 2)
    labels = Labels(np.array([1, 2, 3]), np.array([2, 2, 2]))
    gallery = Embedded(labels, vectors["first"], vectors["second"])
    found = compare_rankings(query, gallery)
    assert [metrics["rank1"] for metrics in found.metrics] == [100, 50]
    assert [metrics["map"] for metrics in found.metrics] == [100, 75]
    assert (found.queries, found.same_first_10, found.same_order) == (2, 0, 0)
    assert found.largest_swap == pytest.approx(np.cos(1.0) - np.cos(1.2), abs=1e-6)
