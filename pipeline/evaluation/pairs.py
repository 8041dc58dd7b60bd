"""Similarities of query and gallery images of different cameras, collected block by block."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pipeline.data.names import JUNK
from pipeline.evaluation.blocks import blocks
from pipeline.evaluation.features import Labels
from pipeline.evaluation.metrics import l2_normalise
from pipeline.evaluation.operating import BINS, TAIL, Scores

MAX_CAMERAS = 32
"""More cameras have too few pairs each: without a camera, every image counts as its own."""


class Embedded(NamedTuple):
    """Images of a split."""

    features: np.ndarray
    """(M, F) float32 of unit length."""
    labels: Labels

    def take(self, rows: np.ndarray) -> Embedded:
        """Return the images `rows`, indices or a mask."""
        return Embedded(self.features[rows], Labels(*(each[rows] for each in self.labels)))


class PairScores(NamedTuple):
    """Scores of pairs of the same person and of pairs of two people."""

    positives: Scores
    negatives: Scores


class CameraPair(NamedTuple):
    """A camera of queries and a camera of gallery images."""

    query: int
    gallery: int


def embedded(features: np.ndarray, labels: Labels) -> Embedded:
    """Normalise the features of images and leave junk out."""
    valid = labels.identities != JUNK
    return Embedded(l2_normalise(features), labels).take(valid)


def similarity_blocks(
    query: Embedded, gallery: Embedded, rows: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield parts of the query indices `rows` and their cosine similarities (B, G) float32."""
    for part in blocks(len(rows), len(gallery.features)):
        similarity = query.features[rows[part]] @ gallery.features.T
        yield rows[part], np.clip(similarity, -1, 1, out=similarity)


def score_pairs(
    query: Embedded, gallery: Embedded
) -> tuple[PairScores, dict[CameraPair, PairScores]]:
    """Score all pairs of different cameras, and those of each camera pair.

    There are no camera pairs for more than `MAX_CAMERAS` cameras. Memory is bounded by a block of
    queries, the positives and the largest negatives.
    """
    gallery = gallery.take(np.argsort(gallery.labels.cameras, kind="stable"))
    people, index = np.unique(query.labels.identities, return_inverse=True)
    everything = _Collector(len(people), len(query.features) * len(gallery.features))
    cameras = np.unique(query.labels.cameras)
    columns = _columns(gallery.labels.cameras)
    by_pair: dict[CameraPair, PairScores] = {}
    for camera in cameras.tolist():
        rows = np.flatnonzero(query.labels.cameras == camera)
        pairs = {
            other: _Collector(len(people), len(rows) * (part.stop - part.start))
            for other, part in columns.items()
            if other != camera
        }
        for part, similarity in similarity_blocks(query, gallery, rows):
            match = query.labels.identities[part, None] == gallery.labels.identities
            others = gallery.labels.cameras != camera
            everything.add(similarity[:, others], match[:, others], index[part])
            for other, collector in pairs.items():
                place = columns[other]
                collector.add(similarity[:, place], match[:, place], index[part])
        by_pair |= {CameraPair(camera, other): each.scores() for other, each in pairs.items()}
    return everything.scores(), by_pair


def _columns(cameras: np.ndarray) -> dict[int, slice]:
    """Return the columns of each camera, which are sorted; empty for too many cameras."""
    found, starts = np.unique(cameras, return_index=True)
    if len(found) > MAX_CAMERAS:
        return {}
    ends = [*starts[1:].tolist(), len(cameras)]
    return {
        camera: slice(*ends_of)
        for camera, *ends_of in zip(found.tolist(), starts.tolist(), ends, strict=True)
    }


class _Collector:
    """Scores of at most `pairs` pairs with queries of `people` people."""

    def __init__(self, people: int, pairs: int) -> None:
        self._positives = _Largest(people, pairs)
        self._negatives = _Largest(people, math.ceil(TAIL * pairs) + 1)

    def add(self, similarity: np.ndarray, match: np.ndarray, people: np.ndarray) -> None:
        """Add a block (B, G) of pairs with the queries' `people` (B,)."""
        self._positives.add(similarity, match, people)
        self._negatives.add(similarity, ~match, people)

    def scores(self) -> PairScores:
        """Return the scores so far."""
        return PairScores(self._positives.scores(), self._negatives.scores())


class _Largest:
    """The `size` largest similarities of some pairs, and a histogram of all."""

    def __init__(self, people: int, size: int) -> None:
        self._size = size
        self._floor = -np.inf
        self._values = [np.empty(0, np.float32)]
        self._people = [np.empty(0, np.int32)]
        self._totals = np.zeros(people, np.int64)
        self._histogram = np.zeros(BINS, np.int64)

    def add(self, similarity: np.ndarray, marked: np.ndarray, people: np.ndarray) -> None:
        """Add the marked pairs of a block (B, G)."""
        counts = marked.sum(axis=1)
        np.add.at(self._totals, people, counts)
        values = similarity[marked]
        self._histogram += np.histogram(values, BINS, (-1, 1))[0]
        large = values >= self._floor
        self._values.append(values[large])
        self._people.append(np.repeat(people.astype(np.int32), counts)[large])
        if sum(map(len, self._values)) > 1.5 * self._size:
            self._drop_smallest()

    def _drop_smallest(self) -> None:
        values, people = np.concatenate(self._values), np.concatenate(self._people)
        largest = np.argpartition(values, len(values) - self._size)[-self._size :]
        self._values, self._people = [values[largest]], [people[largest]]
        self._floor = float(self._values[0].min())

    def scores(self) -> Scores:
        """Return the scores, the largest first."""
        values, people = np.concatenate(self._values), np.concatenate(self._people)
        order = np.argsort(-values, kind="stable")[: self._size]
        return Scores(values[order], people[order], self._totals, self._histogram)
