"""Metrics of the Market-1501 protocol (Zheng et al., ICCV 2015)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from pipeline.data.names import DISTRACTOR, JUNK
from pipeline.errors import InputError, no_match

TOP = 10
CMC_RANKS = (1, 5, 10, 20)
METRICS = (*(f"rank{rank}" for rank in CMC_RANKS), "map", "minp")
QUERIES_AT_ONCE = 256  # bounds the similarity matrix: 20 MB against Market-1501's gallery


class Labels(NamedTuple):
    """Identity and camera of each image, both (M,) int64."""

    identities: np.ndarray
    cameras: np.ndarray


Similarity = Callable[[np.ndarray, np.ndarray], Iterator[np.ndarray]]
"""Maps query (Q, F) and gallery (G, F) features to the rows of (Q, G), in `blocks`."""


class Ranking(NamedTuple):
    """Results of Q queries; ranks count from 1 in the gallery without ignored images."""

    matches: np.ndarray
    """(Q,) int64: number of gallery images of the query's identity under another camera."""
    average_precision: np.ndarray
    """(Q,) float64 in 0..1: mean of the precision at each match; NaN without a match."""
    inverse_negative_penalty: np.ndarray
    """(Q,) float64 in 0..1: matches over the rank of the last one; NaN without a match."""
    first_match: np.ndarray
    """(Q,) int64: rank of the first match; 0 without a match."""
    top: np.ndarray
    """(Q, T) int64: gallery indices of the T <= 10 best, best first; -1 if fewer are left."""


def l2_normalise(features: np.ndarray) -> np.ndarray:
    """Scale rows to unit length, (M, F) float32; a row of zeros stays zero."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return (features / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def rank_similarities(similarity: np.ndarray, query: Labels, gallery: Labels) -> Ranking:
    """Rank the gallery for each query by falling `similarity` (Q, G), ties in gallery order.

    Ignored for a query: images of its identity under its own camera, and junk. Distractors count.
    """
    size = similarity.shape[1]
    same_identity = query.identities[:, None] == gallery.identities  # (Q, G)
    same_camera = query.cameras[:, None] == gallery.cameras
    ignored = (same_identity & same_camera) | (gallery.identities == JUNK)
    # ignored images go to the end, so that the ranks of the others have no gaps
    order = np.argsort(np.where(ignored, np.inf, -similarity), axis=1, kind="stable")
    hits = np.take_along_axis(same_identity & ~ignored, order, axis=1)

    matches = hits.sum(axis=1)
    some = matches > 0
    precision = np.cumsum(hits, axis=1) / np.arange(1, size + 1)
    last_match = size - np.argmax(hits[:, ::-1], axis=1)
    weight = np.where(some, 1 / np.maximum(matches, 1), np.nan)  # of one match; NaN without any
    counted = np.arange(size) < size - ignored.sum(axis=1, keepdims=True)
    return Ranking(
        matches=matches,
        average_precision=(precision * hits).sum(axis=1) * weight,
        inverse_negative_penalty=np.where(some, matches / last_match, np.nan),
        first_match=np.where(some, np.argmax(hits, axis=1) + 1, 0),
        top=np.where(counted, order, -1)[:, :TOP],
    )


def blocks(count: int) -> Iterator[slice]:
    """Yield slices of at most `QUERIES_AT_ONCE` rows that cover `count` rows."""
    for start in range(0, count, QUERIES_AT_ONCE):
        yield slice(start, min(start + QUERIES_AT_ONCE, count))


def cosine_similarity(query: np.ndarray, gallery: np.ndarray) -> Iterator[np.ndarray]:
    """Yield blocks of the (Q, G) cosine similarity; it ranks as the Euclidean distance does."""
    queries, others = l2_normalise(query), l2_normalise(gallery)
    for rows in blocks(len(queries)):
        yield queries[rows] @ others.T


def check_features(query_features: np.ndarray, query: Labels, gallery_features: np.ndarray) -> None:
    """Raise InputError if a feature is not finite or a query is junk or a distractor."""
    if not (np.isfinite(query_features).all() and np.isfinite(gallery_features).all()):
        raise InputError("expected finite features, found NaN or infinity: train the run again")
    if (query.identities <= DISTRACTOR).any():
        raise InputError(
            f"query: expected persons, found identity {query.identities.min()}: "
            "move distractors (0) and junk (-1) to the gallery"
        )


def rank_gallery(
    query_features: np.ndarray,
    query: Labels,
    gallery_features: np.ndarray,
    gallery: Labels,
    similarity: Similarity = cosine_similarity,
) -> Ranking:
    """Rank the gallery for each query by `similarity`.

    Features are (Q, F) and (G, F) float32 of any length. Raises InputError as `check_features`.
    """
    check_features(query_features, query, gallery_features)
    found = similarity(query_features, gallery_features)
    chunks = [
        rank_similarities(block, Labels(query.identities[rows], query.cameras[rows]), gallery)
        for rows, block in zip(blocks(len(query_features)), found, strict=True)
    ]
    return Ranking(*(np.concatenate(parts) for parts in zip(*chunks, strict=True)))


def summarise(ranking: Ranking) -> dict[str, float]:
    """Compute CMC, mAP and mINP in percent over the queries with a match; keys are `METRICS`.

    Raises InputError if no query has a match.
    """
    some = ranking.matches > 0
    if not some.any():
        raise InputError(no_match(len(some)))
    values = [(ranking.first_match[some] <= rank).mean() for rank in CMC_RANKS]
    values.append(ranking.average_precision[some].mean())
    values.append(ranking.inverse_negative_penalty[some].mean())
    return {name: 100 * float(value) for name, value in zip(METRICS, values, strict=True)}
