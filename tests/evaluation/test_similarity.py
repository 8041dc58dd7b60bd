"""Cosine similarities: as by definition, by either product, and the same for copies."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from pipeline.evaluation.metrics import highest
from pipeline.evaluation.similarity import cosine_similarity


def test_the_lengths_of_the_vectors_do_not_matter() -> None:
    """Features on a grid have exact products."""
    rng = np.random.default_rng(0)
    queries, size = 60, 40
    directions = np.eye(16, dtype=np.float32)
    features = directions[rng.integers(0, 16, queries)] * rng.uniform(1, 9, (queries, 1))
    others = directions[rng.integers(0, 16, size)] * rng.uniform(1, 9, (size, 1))
    same = features.argmax(axis=1)[:, None] == others.argmax(axis=1)
    np.testing.assert_array_equal(cosine_similarity(features, others), same)


def test_cosine_ranks_as_euclidean_distance_of_unit_vectors() -> None:
    rng = np.random.default_rng(1)
    features, others = rng.normal(size=(1, 8)), rng.normal(size=(30, 8))
    unit, units = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (features, others))
    expected = np.argsort(np.linalg.norm(units - unit, axis=1))
    assert highest(cosine_similarity(features, others)[0], 30).tolist() == expected.tolist()


def test_similarities_by_torch_and_by_numpy_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    query, gallery = rng.normal(size=(300, 96)), rng.normal(size=(700, 96))
    by_numpy = cosine_similarity(query, gallery)
    monkeypatch.setattr("pipeline.evaluation.similarity.SMALL", 0)
    by_torch = cosine_similarity(query, gallery)
    assert (by_torch != by_numpy).any()
    np.testing.assert_allclose(by_torch, by_numpy, rtol=0, atol=5e-7)


COPIES = """
import numpy as np
from threadpoolctl import threadpool_limits
from pipeline.evaluation.similarity import cosine_similarity

rng = np.random.default_rng(0)
query, gallery = rng.normal(size=(60, 96)), rng.normal(size=(177, 96))
for threads in (1, 2):
    with threadpool_limits(threads):
        similarity = cosine_similarity(query, np.concatenate([gallery, gallery]))
    np.testing.assert_array_equal(similarity[:, :177], similarity[:, 177:])
"""


def test_copies_tie_where_float32_products_depend_on_the_position() -> None:
    """With AVX2, OpenBLAS rounds a float32 product by its position."""
    environment = os.environ | {"OPENBLAS_CORETYPE": "Haswell"}
    subprocess.run([sys.executable, "-c", COPIES], env=environment, check=True)
