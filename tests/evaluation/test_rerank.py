"""k-reciprocal re-ranking against plain loops of the paper, and its gain on clusters."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.blocks import blocks
from pipeline.evaluation.features import Labels
from pipeline.evaluation.metrics import Ranking, highest, rank_similarities, summarise
from pipeline.evaluation.rerank import Reranking, highest_of_each
from pipeline.evaluation.similarity import cosine_similarity
from pipeline.options.evaluation import RerankOptions


def plain_rerank(query: np.ndarray, gallery: np.ndarray, options: RerankOptions) -> np.ndarray:
    """(Q, G) distances, image by image: sections 3.2 to 3.4 of the paper."""
    features = np.concatenate([query, gallery]).astype(np.float64)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    count = len(features)
    distance = np.array([[((a - b) ** 2).sum() for b in features] for a in features])
    distance /= distance.max(axis=1, keepdims=True)
    order = [sorted(range(count), key=lambda j: (distance[i, j], j)) for i in range(count)]

    def reciprocal(i: int, k: int) -> set[int]:
        return {j for j in order[i][: k + 1] if i in order[j][: k + 1]}

    encoded = np.zeros((count, count))
    for i in range(count):
        own = reciprocal(i, options.k1)
        wider = set(own)
        for j in own:
            candidates = reciprocal(j, round(options.k1 / 2))
            if len(candidates & own) > 2 / 3 * len(candidates):
                wider |= candidates
        for j in wider:
            encoded[i, j] = np.exp(-distance[i, j])
        encoded[i] /= encoded[i].sum()
    averaged = [np.mean([encoded[j] for j in order[i][: options.k2]], axis=0) for i in range(count)]
    encoded = np.array(averaged)
    final = np.zeros((len(query), len(gallery)))
    for i in range(len(query)):
        for j in range(len(gallery)):
            one, other = encoded[i], encoded[len(query) + j]
            jaccard = 1 - np.minimum(one, other).sum() / np.maximum(one, other).sum()
            original = distance[i, len(query) + j]
            weight = options.lambda_value
            final[i, j] = (1 - weight) * jaccard + weight * original
    return final


def people(seed: int, identities: int, width: int = 6) -> tuple[np.ndarray, ...]:
    """Two queries and four gallery images of each identity, around a centre of its own."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(identities, width))
    owners = np.repeat(np.arange(1, identities + 1), 2), np.repeat(np.arange(1, identities + 1), 4)
    features = [
        (centres[of - 1] + rng.normal(0, 0.8, (len(of), width))).astype(np.float32) for of in owners
    ]
    return *features, *owners


@pytest.mark.parametrize("lengths", [1.0, 7.0])
@pytest.mark.parametrize(
    "options",
    [
        RerankOptions(),
        RerankOptions(k1=50, k2=15),
        RerankOptions(k1=5, k2=1, lambda_value=0.0),  # 5 / 2 is rounded to 2
        RerankOptions(k1=3, k2=6, lambda_value=0.9),  # k2 above k1
        RerankOptions(k1=500, k2=400),  # more than there are images
    ],
)
def test_distances_equal_plain_loops(
    options: RerankOptions, lengths: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.evaluation.blocks.BLOCK", 7 * 32)  # 7 queries at once
    query, gallery, *_ = people(0, 8)
    found = -rerank(query * lengths, gallery, options)
    expected = plain_rerank(query, gallery, options)
    np.testing.assert_allclose(found, expected, atol=2e-6)
    np.testing.assert_array_equal(np.argmin(found, axis=1), np.argmin(expected, axis=1))


def rerank(query: np.ndarray, gallery: np.ndarray, options: RerankOptions) -> np.ndarray:
    reranking = Reranking(query, gallery, options)
    return np.concatenate([reranking.similarity(r) for r in blocks(len(query), len(gallery))])


def rank(scores: np.ndarray, owners: list[np.ndarray]) -> Ranking:
    labels = [Labels(of, np.full(len(of), camera)) for camera, of in enumerate(owners)]
    return rank_similarities(scores, *labels)


@pytest.mark.parametrize("rows", [64, 100, 150])
def test_results_do_not_depend_on_the_block(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    query, gallery, *_ = people(3, 100, width=64)
    expected = rerank(query, gallery, RerankOptions())
    monkeypatch.setattr("pipeline.evaluation.blocks.BLOCK", rows * 600)
    np.testing.assert_array_equal(rerank(query, gallery, RerankOptions()), expected)


def test_lambda_1_ranks_as_without_reranking() -> None:
    query, gallery, *owners = people(1, 9)
    found = rank(rerank(query, gallery, RerankOptions(lambda_value=1.0)), owners)
    np.testing.assert_array_equal(found.top, rank(cosine_similarity(query, gallery), owners).top)


def test_reranking_raises_map_on_clustered_identities() -> None:
    query, gallery, *owners = people(2, 40, width=12)
    plain = summarise(rank(cosine_similarity(query, gallery), owners))
    found = summarise(rank(rerank(query, gallery, RerankOptions(k1=6, k2=3)), owners))
    assert found["map"] > plain["map"] + 1


def test_identical_images_give_finite_distances() -> None:
    """More copies than k1: some are not among their own nearest."""
    query, gallery = np.ones((3, 4), np.float32), np.ones((20, 4), np.float32)
    found = rerank(query, gallery, RerankOptions(k1=2, k2=2))
    assert np.isfinite(found).all()


def test_neighbours_of_each_row_are_its_highest_with_ties_by_index() -> None:
    """Few different scores, so that neighbours tie with each other and with the next one."""
    scores = np.random.default_rng(4).integers(0, 4, (50, 12)).astype(np.float32)
    for count in (1, 5, 12, 20):
        expected = [highest(row, count).tolist() for row in scores]
        assert highest_of_each(scores, count).tolist() == expected
