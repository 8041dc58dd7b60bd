"""Exact search equals a full sort; the index finds nearly the same, with exact similarities."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.use.nearest import build_index, find_nearest


def clustered(count: int, seed: int, people: int = 400, width: int = 32) -> np.ndarray:
    """Features of unit length around a centre per person."""
    centres = np.random.default_rng(0).standard_normal((people, width))
    rng = np.random.default_rng(seed)
    features = centres[rng.integers(0, people, count)] + rng.standard_normal((count, width)) / 2
    return (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def gallery() -> np.ndarray:
    return clustered(4000, 1)


def sort_all(queries: np.ndarray, gallery: np.ndarray, top: int) -> np.ndarray:
    return np.argsort(-(queries @ gallery.T), axis=1, kind="stable")[:, :top]


def test_exact_search_equals_a_full_sort(gallery: np.ndarray) -> None:
    queries = clustered(20, 2)
    similarities, rows = find_nearest(queries, gallery, 10)
    np.testing.assert_array_equal(rows, sort_all(queries, gallery, 10))
    expected = [gallery[found] @ query for query, found in zip(queries, rows, strict=True)]
    np.testing.assert_allclose(similarities, expected, atol=1e-6)


def test_no_more_matches_than_images(gallery: np.ndarray) -> None:
    assert find_nearest(gallery[:2], gallery[:3], 10)[1].shape == (2, 3)


def test_index_finds_nearly_all_with_exact_similarities(gallery: np.ndarray) -> None:
    queries = clustered(100, 3)
    similarities, rows = find_nearest(queries, gallery, 10, build_index(gallery), 1 / 16)
    pairs = zip(rows, sort_all(queries, gallery, 10), strict=True)
    assert np.mean([len(np.intersect1d(*pair)) / 10 for pair in pairs]) > 0.9
    for query, found, values in zip(queries, rows, similarities, strict=True):
        np.testing.assert_allclose(values, gallery[found] @ query, atol=1e-6)
        assert (np.diff(values) <= 0).all()


def test_index_that_visits_too_few_images_says_so(gallery: np.ndarray) -> None:
    one_cell = 0
    similarities, rows = find_nearest(gallery[:5], gallery, 500, build_index(gallery), one_cell)
    assert rows.shape == (5, 500)
    np.testing.assert_array_equal(rows < 0, np.isneginf(similarities))
    assert (rows[:, 0] >= 0).all()
    assert (rows[:, -1] < 0).all()


def test_same_features_give_the_same_index(gallery: np.ndarray) -> None:
    queries = clustered(20, 4)
    first, second = (find_nearest(queries, gallery, 10, build_index(gallery)) for _ in range(2))
    np.testing.assert_array_equal(first[1], second[1])
