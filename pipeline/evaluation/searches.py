"""Open-set searches: queries of people in the gallery, and of people who are not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.data.names import DISTRACTOR
from pipeline.evaluation.operating import BINS, Scores
from pipeline.evaluation.pairs import Embedded, similarity_blocks


class SearchScores(NamedTuple):
    """Similarity of the best gallery image of each search."""

    known: Scores
    """Of people in the gallery; -inf where the best image shows somebody else."""
    unknown: Scores
    """Of people who are not in it."""
    gallery: int
    """Number of gallery images."""


def score_searches(query: Embedded, gallery: Embedded) -> SearchScores:
    """Search each query, and each gallery image whose person has no query, in the rest.

    Distractors and gallery-only people are the unknown ones; the people with a query are enrolled.
    The Market-1501 protocol holds: a query ignores images of its person under its own camera, and
    does not count without an image under another one. Distractors are a person each.
    """
    enrolled = np.isin(gallery.labels.identities, query.labels.identities)
    people, others = gallery.take(enrolled), gallery.take(~enrolled)
    known, counted = _best_matches(query, people)
    unknown, _ = _best_matches(others, people)
    names = others.labels.identities
    alone = names == DISTRACTOR
    names = np.where(alone, -1 - np.arange(len(names)), names)
    return SearchScores(
        _scores(known[counted], query.labels.identities[counted]),
        _scores(unknown, names),
        len(people.features),
    )


def _best_matches(query: Embedded, gallery: Embedded) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest similarity of each query, (Q,) float32, and whether it has a match, (Q,).

    With a match, the similarity is -inf if the best image is none.
    """
    best = np.full(len(query.features), -np.inf, np.float32)
    some = np.zeros(len(query.features), bool)
    if not len(gallery.features):
        return best, some
    for part, similarity in similarity_blocks(query, gallery, np.arange(len(best))):
        same = query.labels.identities[part, None] == gallery.labels.identities
        own = same & (query.labels.cameras[part, None] == gallery.labels.cameras)
        similarity[own] = -np.inf
        match = same & ~own
        some[part] = match.any(axis=1)
        first = similarity.argmax(axis=1)
        right = np.take_along_axis(match, first[:, None], axis=1)[:, 0] | ~some[part]
        best[part] = np.where(right, similarity.max(axis=1), -np.inf)
    return best, some


def _scores(values: np.ndarray, names: np.ndarray) -> Scores:
    """Return the scores of searches by the `names` (N,) of their people."""
    people, index = np.unique(names, return_inverse=True)
    order = np.argsort(-values, kind="stable")
    totals = np.bincount(index, minlength=len(people))
    histogram = np.histogram(values, BINS, (-1, 1))[0]
    return Scores(values[order], index[order].astype(np.int32), totals, histogram)
