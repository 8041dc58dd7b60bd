"""The Market-1501 protocol (Zheng et al., ICCV 2015): what a ranking of the gallery is worth."""

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
    """Who is in each image, and which camera saw them: both (M,) int64."""

    identities: np.ndarray
    cameras: np.ndarray


Similarity = Callable[[np.ndarray, np.ndarray], Iterator[np.ndarray]]
"""From query (Q, F) and gallery (G, F) features to the rows of (Q, G), by `blocks`."""


class Ranking(NamedTuple):
    """What each of Q queries found; ranks count from 1 in what the protocol leaves of a gallery."""

    matches: np.ndarray
    """(Q,) int64: gallery images that show the query's identity under another camera."""
    average_precision: np.ndarray
    """(Q,) float64 in 0..1: mean of the precision at each match; NaN without a match."""
    inverse_negative_penalty: np.ndarray
    """(Q,) float64 in 0..1: matches over the rank of the last one; NaN without a match."""
    first_match: np.ndarray
    """(Q,) int64: rank of the first match; 0 without a match."""
    top: np.ndarray
    """(Q, T) int64: gallery indices of the T <= 10 best, best first; -1 where nothing is left."""


def l2_normalise(features: np.ndarray) -> np.ndarray:
    """Rows of unit length, (M, F) float32; a row of zeros stays as it is."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return (features / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def rank_similarities(similarity: np.ndarray, query: Labels, gallery: Labels) -> Ranking:
    """Rank the gallery for each query by falling `similarity` (Q, G), ties in gallery order.

    Left out for a query: images of its identity under its own camera, and junk. Distractors stay.
    """
    size = similarity.shape[1]
    same_identity = query.identities[:, None] == gallery.identities  # (Q, G)
    same_camera = query.cameras[:, None] == gallery.cameras
    dropped = (same_identity & same_camera) | (gallery.identities == JUNK)
    # What is dropped goes to the end, so that the kept images have their ranks without gaps.
    order = np.argsort(np.where(dropped, np.inf, -similarity), axis=1, kind="stable")
    hits = np.take_along_axis(same_identity & ~dropped, order, axis=1)

    matches = hits.sum(axis=1)
    some = matches > 0
    precision = np.cumsum(hits, axis=1) / np.arange(1, size + 1)
    last_match = size - np.argmax(hits[:, ::-1], axis=1)
    share = np.where(some, 1 / np.maximum(matches, 1), np.nan)  # of one match; NaN without any
    kept = np.arange(size) < size - dropped.sum(axis=1, keepdims=True)
    return Ranking(
        matches=matches,
        average_precision=(precision * hits).sum(axis=1) * share,
        inverse_negative_penalty=np.where(some, matches / last_match, np.nan),
        first_match=np.where(some, np.argmax(hits, axis=1) + 1, 0),
        top=np.where(kept, order, -1)[:, :TOP],
    )


def blocks(count: int) -> Iterator[slice]:
    """Slices of at most `QUERIES_AT_ONCE` rows that together are all `count`."""
    for start in range(0, count, QUERIES_AT_ONCE):
        yield slice(start, min(start + QUERIES_AT_ONCE, count))


def cosine_similarity(query: np.ndarray, gallery: np.ndarray) -> Iterator[np.ndarray]:
    """Blocks of rows of the (Q, G) cosine similarity, which orders as Euclidean distance does."""
    queries, others = l2_normalise(query), l2_normalise(gallery)
    for rows in blocks(len(queries)):
        yield queries[rows] @ others.T


def rank_gallery(
    query_features: np.ndarray,
    query: Labels,
    gallery_features: np.ndarray,
    gallery: Labels,
    similarity: Similarity = cosine_similarity,
) -> Ranking:
    """Rank the gallery for each query by `similarity`.

    Features are (Q, F) and (G, F) float32 of any length. Raises InputError when a feature is not
    finite or a query shows nobody (junk or a distractor).
    """
    if not (np.isfinite(query_features).all() and np.isfinite(gallery_features).all()):
        raise InputError("expected finite features, found NaN or infinity: train the run again")
    if (query.identities <= DISTRACTOR).any():
        raise InputError(
            f"a query must show a person, found one with the identity {query.identities.min()}: "
            "only the gallery may hold distractors (0) and junk (-1)"
        )
    found = similarity(query_features, gallery_features)
    chunks = [
        rank_similarities(block, Labels(query.identities[rows], query.cameras[rows]), gallery)
        for rows, block in zip(blocks(len(query_features)), found, strict=True)
    ]
    return Ranking(*(np.concatenate(parts) for parts in zip(*chunks, strict=True)))


def summarise(ranking: Ranking) -> dict[str, float]:
    """CMC, mAP and mINP in percent over the queries that have a match; keys are `METRICS`.

    Raises InputError when no query has a match.
    """
    some = ranking.matches > 0
    if not some.any():
        raise InputError(no_match(len(some)))
    shares = [(ranking.first_match[some] <= rank).mean() for rank in CMC_RANKS]
    shares.append(ranking.average_precision[some].mean())
    shares.append(ranking.inverse_negative_penalty[some].mean())
    return {name: 100 * float(share) for name, share in zip(METRICS, shares, strict=True)}
