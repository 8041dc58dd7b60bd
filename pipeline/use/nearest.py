"""Find the most similar features: exactly, or in a large gallery by an inverted file of FAISS."""

from __future__ import annotations

import math

import faiss
import numpy as np

EXACT_UP_TO = 100_000
"""Largest gallery that is searched exactly."""
CELLS_PER_ROOT = 4
"""The inverted file has this many cells times the square root of the gallery's size."""
TRAINING_PER_CELL = 64
"""Features per cell that k-means sees."""
TRAINING_STEPS = 10
"""Iterations of k-means."""
PROBED = 1 / 32
"""Fraction of the cells that a query visits: recall against time."""
CANDIDATES = 4
"""Features per wanted match whose exact similarity is computed."""


def build_index(features: np.ndarray) -> faiss.IndexIVF:
    """Build an inverted file of features (N, F) float32 of unit length, in half precision.

    The same features give the same index.
    """
    width, cells = features.shape[1], int(CELLS_PER_ROOT * math.sqrt(len(features)))
    half = faiss.ScalarQuantizer.QT_fp16
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(width), width, cells, half, faiss.METRIC_INNER_PRODUCT
    )
    index.cp.max_points_per_centroid = TRAINING_PER_CELL
    index.cp.niter = TRAINING_STEPS
    index.cp.spherical = True
    index.train(features)
    index.add(features)
    return index


def find_nearest(
    queries: np.ndarray,
    features: np.ndarray,
    top: int,
    index: faiss.IndexIVF | None = None,
    probed: float = PROBED,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cosine similarities (Q, T) float32 and rows (Q, T) int64 of the T best features.

    `queries` (Q, F) and `features` (N, F) are float32 of unit length; T is `top`, or N if that is
    less. The search is exact without an `index` of the features. With one it visits the fraction
    `probed` of the cells and may miss some: then the last rows of a query can be -1.
    """
    top = min(top, len(features))
    if index is None:
        return faiss.knn(queries, features, top, metric=faiss.METRIC_INNER_PRODUCT)
    index.nprobe = max(1, round(index.nlist * probed))
    _, candidates = index.search(queries, CANDIDATES * top)
    return _rank_exactly(queries, features, candidates, top)


def _rank_exactly(
    queries: np.ndarray, features: np.ndarray, candidates: np.ndarray, top: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rank candidates (Q, C), -1: none, by their exact similarity; returns the `top` best."""
    similarities = np.empty(candidates.shape, np.float32)
    for query, rows, found in zip(queries, candidates, similarities, strict=True):
        found[:] = np.where(rows < 0, -np.inf, features[rows] @ query)
    order = np.argsort(-similarities, axis=1, kind="stable")[:, :top]
    best = np.take_along_axis(similarities, order, axis=1)
    return best, np.take_along_axis(candidates, order, axis=1)
