"""Metrics of the Market-1501 protocol (Zheng et al., ICCV 2015)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.data.names import JUNK
from pipeline.errors import InputError, no_match
from pipeline.evaluation.features import Labels

TOP = 10
GROUP = 128
"""Scores in a group; to find the highest scores, `highest` compares those of groups first."""
CMC_RANKS = (1, 5, 10, 20)
METRICS = (*(f"rank{rank}" for rank in CMC_RANKS), "map", "minp")


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
    rows = features.astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(lengths > 0, lengths, 1)
    return rows


def rank_similarities(similarity: np.ndarray, query: Labels, gallery: Labels) -> Ranking:
    """Rank the gallery for each query by falling `similarity` (Q, G), ties in gallery order.

    Ignored for a query: images of its identity under its own camera, and junk. Distractors count.
    """
    rows = [
        _rank_query(scores, identity, camera, gallery)
        for scores, identity, camera in zip(similarity, *query, strict=True)
    ]
    return Ranking(*(np.array(column) for column in zip(*rows, strict=True)))


def _rank_query(
    scores: np.ndarray, identity: int, camera: int, gallery: Labels
) -> tuple[int, float, float, int, np.ndarray]:
    """Rank the gallery by `scores` (G,): the fields of `Ranking` for one query."""
    own = gallery.identities == identity
    ignored = (own & (gallery.cameras == camera)) | (gallery.identities == JUNK)
    scores = np.where(ignored, -np.inf, scores)
    ranks = np.sort([_rank(scores, int(i)) for i in np.flatnonzero(own & ~ignored)])
    best = highest(scores, TOP)
    top = np.where(ignored[best], -1, best)
    matches = len(ranks)
    if not matches:
        return matches, np.nan, np.nan, 0, top
    precision = np.arange(1, matches + 1) / ranks
    return matches, precision.mean(), matches / ranks[-1], ranks[0], top


def _rank(scores: np.ndarray, i: int) -> int:
    """Return the rank of image `i`, from 1: count what scores higher, or as high and is earlier."""
    score = scores[i]
    earlier, later = scores[:i] >= score, scores[i + 1 :] > score
    return 1 + int(np.count_nonzero(earlier)) + int(np.count_nonzero(later))


def highest(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the `count` >= 1 highest scores, highest first, ties by index."""
    count = min(count, len(scores))
    width = min(GROUP, len(scores) // count)
    maxima = scores[: len(scores) // width * width].reshape(-1, width).max(axis=1)
    least = np.partition(maxima, -count)[-count]  # at least `count` scores reach it
    candidates = np.flatnonzero(scores >= least)
    order = np.argsort(-scores[candidates], kind="stable")
    return candidates[order[:count]]


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
