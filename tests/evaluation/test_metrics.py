"""The Market-1501 protocol against plain loops, scikit-learn and an example by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from pipeline.errors import InputError
from pipeline.evaluation.features import Labels
from pipeline.evaluation.metrics import GROUP, highest, rank_similarities, summarise


def random_case(seed: int, ties: bool) -> tuple[np.ndarray, Labels, Labels]:
    """Few identities and cameras, so that junk, distractors, own cameras and no match occur."""
    rng = np.random.default_rng(seed)
    queries, size = 30, 60
    similarity = (
        rng.integers(0, 9, (queries, size))
        if ties
        else rng.permuted(np.tile(np.arange(size), (queries, 1)), axis=1)
    )
    query = Labels(rng.integers(1, 12, queries), rng.integers(1, 4, queries))
    gallery = Labels(rng.integers(-1, 10, size), rng.integers(1, 4, size))
    return similarity / 64.0, query, gallery


def ranked_gallery(similarity: np.ndarray, i: int, query: Labels, gallery: Labels) -> list[int]:
    """Rank the gallery images that the protocol counts for query `i`, with a plain loop."""
    kept = []
    for j in range(similarity.shape[1]):
        own = gallery.identities[j] == query.identities[i]
        if gallery.identities[j] == -1 or (own and gallery.cameras[j] == query.cameras[i]):
            continue
        kept.append(j)
    return sorted(kept, key=lambda j: (-similarity[i, j], j))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_ranking_equals_a_plain_loop(seed: int, ties: bool) -> None:
    similarity, query, gallery = random_case(seed, ties)
    ranking = rank_similarities(similarity, query, gallery)
    assert (ranking.matches == 0).any()
    assert (ranking.matches > 1).any()
    for i in range(len(similarity)):
        kept = ranked_gallery(similarity, i, query, gallery)
        ranks = [r for r, j in enumerate(kept, 1) if gallery.identities[j] == query.identities[i]]
        assert [j for j in ranking.top[i] if j >= 0] == kept[:10]
        assert ranking.matches[i] == len(ranks)
        if not ranks:
            assert np.isnan(ranking.average_precision[i])
            assert np.isnan(ranking.inverse_negative_penalty[i])
            assert ranking.first_match[i] == 0
            continue
        precisions = [found / rank for found, rank in enumerate(ranks, 1)]
        assert ranking.average_precision[i] == pytest.approx(sum(precisions) / len(ranks))
        assert ranking.inverse_negative_penalty[i] == pytest.approx(len(ranks) / ranks[-1])
        assert ranking.first_match[i] == ranks[0]


def test_average_precision_equals_scikit_learn() -> None:
    similarity, query, gallery = random_case(7, ties=False)
    ranking = rank_similarities(similarity, query, gallery)
    for i in np.flatnonzero(ranking.matches):
        kept = ranked_gallery(similarity, i, query, gallery)
        ground_truth = gallery.identities[kept] == query.identities[i]
        expected = average_precision_score(ground_truth, similarity[i, kept])
        assert ranking.average_precision[i] == pytest.approx(expected)


def test_ranking_equals_an_example_by_hand() -> None:
    """Person 1, camera 1. Best first: own camera, junk, distractor, match, other, match."""
    similarity = np.array([[0.9, 0.8, 0.7, 0.6, 0.5, 0.4]])
    gallery = Labels(np.array([1, -1, 0, 1, 2, 1]), np.array([1, 2, 2, 2, 2, 3]))
    ranking = rank_similarities(similarity, Labels(np.array([1]), np.array([1])), gallery)
    assert ranking.matches.tolist() == [2]
    assert ranking.first_match.tolist() == [2]
    assert ranking.average_precision == pytest.approx([(1 / 2 + 2 / 4) / 2])
    assert ranking.inverse_negative_penalty == pytest.approx([2 / 4])
    assert ranking.top.tolist() == [[2, 3, 4, 5, -1, -1]]
    assert summarise(ranking) == pytest.approx(
        {"rank1": 0, "rank5": 100, "rank10": 100, "rank20": 100, "map": 50, "minp": 50}
    )


def test_summary_ignores_queries_without_a_match() -> None:
    similarity, query, gallery = random_case(3, ties=True)
    some = rank_similarities(similarity, query, gallery).matches > 0
    matched = Labels(query.identities[some], query.cameras[some])
    with_all = summarise(rank_similarities(similarity, query, gallery))
    assert with_all == pytest.approx(
        summarise(rank_similarities(similarity[some], matched, gallery))
    )


@pytest.mark.parametrize("size", [1, 40, 2 * GROUP + 1, 30 * GROUP + 5])
@pytest.mark.parametrize("count", [1, 3, 20, 99])
def test_the_highest_are_sorted_with_ties_by_index(size: int, count: int) -> None:
    rng = np.random.default_rng([size, count])
    tied, rising = rng.integers(0, 5, size), np.arange(size)
    for scores in (tied, rng.permutation(size), rising, -rising, np.where(tied, -np.inf, rising)):
        expected = sorted(range(size), key=lambda i: (-scores[i], i))[:count]
        assert highest(scores.astype(np.float32), count).tolist() == expected


def test_no_query_with_a_match_is_an_error() -> None:
    query, gallery = (
        Labels(np.array([1]), np.array([1])),
        Labels(np.array([1, 2]), np.array([1, 2])),
    )
    ranking = rank_similarities(np.ones((1, 2)), query, gallery)
    with pytest.raises(InputError, match="none of the 1 queries"):
        summarise(ranking)
