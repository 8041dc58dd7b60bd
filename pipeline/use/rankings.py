"""Compare how two networks rank the gallery of a test set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from pipeline.data.names import TEST_SPLITS
from pipeline.data.shards import ShardReader
from pipeline.evaluation.blocks import blocks
from pipeline.evaluation.embed import read_batches
from pipeline.evaluation.features import Labels
from pipeline.evaluation.metrics import Ranking, rank_similarities, summarise
from pipeline.evaluation.similarity import cosine_similarity, multiply
from pipeline.options.run import ImageOptions

EmbedBoth: TypeAlias = Callable[[np.ndarray, Sequence[str]], tuple[np.ndarray, np.ndarray]]
"""Maps images (B, H, W, 3) uint8 and their keys to their features (B, F) by two networks."""


class Embedded(NamedTuple):
    """M images of a split, embedded by two networks."""

    labels: Labels
    first: np.ndarray
    """(M, F) float32."""
    second: np.ndarray
    """(M, F) float32."""


class Comparison(NamedTuple):
    """How two networks rank the gallery for Q queries."""

    metrics: tuple[dict[str, float], dict[str, float]]
    """CMC, mAP and mINP of each network, in percent."""
    queries: int
    same_first_10: int
    """Number of queries with the same ten best gallery images in the same order, by the
    Market-1501 protocol."""
    same_order: int
    """Number of queries with the same order of the whole gallery."""
    largest_swap: float
    """Largest difference of similarity, by the first network, between the image at a rank of the
    second network and that at the same rank of the first one; any query, whole gallery."""


def embed_test_set(shards: Path, image: ImageOptions, embed: EmbedBoth) -> dict[str, Embedded]:
    """Embed the query and gallery images of `shards` by two networks; returns the splits."""
    return {split: _embed_split(shards, split, image, embed) for split in TEST_SPLITS}


def _embed_split(shards: Path, split: str, image: ImageOptions, embed: EmbedBoth) -> Embedded:
    identities, cameras, features = [], [], []
    for batch in read_batches(ShardReader(shards, split), image):
        features.append(embed(batch.images.permute(0, 2, 3, 1).numpy(), batch.keys))
        identities += batch.identities
        cameras += batch.cameras
    labels = Labels(np.array(identities, np.int64), np.array(cameras, np.int64))
    return Embedded(labels, *map(np.concatenate, zip(*features, strict=True)))


def compare_rankings(query: Embedded, gallery: Embedded) -> Comparison:
    """Rank the gallery for each query by the features of each network, and compare."""
    rankings: list[tuple[Ranking, Ranking]] = []
    swaps = []
    for rows in blocks(len(query.first), len(gallery.first)):
        labels = Labels(*(column[rows] for column in query.labels))
        # by torch, which the networks have imported: every block by the same product
        first = cosine_similarity(query.first[rows], gallery.first, multiply)
        second = cosine_similarity(query.second[rows], gallery.second, multiply)
        ranked = (rank_similarities(each, labels, gallery.labels) for each in (first, second))
        rankings.append((next(ranked), next(ranked)))
        swaps.append(largest_swaps(first, second))
    one, other = (_join(parts) for parts in zip(*rankings, strict=True))
    swap = np.concatenate(swaps)
    return Comparison(
        metrics=(_metrics(one), _metrics(other)),
        queries=len(swap),
        same_first_10=int((one.top == other.top).all(axis=1).sum()),
        same_order=int((swap == 0).sum()),
        largest_swap=float(swap.max()),
    )


def largest_swaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the `largest_swap` of each query, (Q,) float32, for two similarities (Q, G)."""
    ranked = -np.sort(-first, axis=1)
    order = np.argsort(-second, axis=1, kind="stable")
    return np.abs(ranked - np.take_along_axis(first, order, axis=1)).max(axis=1)


def _join(parts: Sequence[Ranking]) -> Ranking:
    return Ranking(*map(np.concatenate, zip(*parts, strict=True)))


def _metrics(ranking: Ranking) -> dict[str, float]:
    return {name: round(value, 4) for name, value in summarise(ranking).items()}
