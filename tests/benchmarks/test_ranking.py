"""The peers' algorithms agree with ours, and the benchmark prints the ratios."""

from __future__ import annotations

import re

import numpy as np
import pytest

from benchmarks.ranking import (
    Case,
    all_distances,
    dense_reranking,
    main,
    random_case,
    rerank,
    sort_ranking,
)
from pipeline.evaluation.metrics import l2_normalise, rank_similarities
from pipeline.evaluation.similarity import cosine_similarity
from pipeline.options.evaluation import RerankOptions


@pytest.fixture(scope="module")
def case() -> Case:
    return random_case(40, 160, 16)


def test_the_peers_ranking_has_our_average_precision(case: Case) -> None:
    similarity = cosine_similarity(case.query, case.gallery)
    ours = rank_similarities(similarity, *case[2:]).average_precision
    np.testing.assert_allclose(sort_ranking(-similarity, *case[2:]), ours, rtol=1e-12)


def test_the_dense_reranking_has_our_distances(case: Case) -> None:
    features = l2_normalise(np.concatenate([case.query, case.gallery]))
    dense = dense_reranking(all_distances(features), len(case.query), RerankOptions())
    np.testing.assert_allclose(-np.concatenate(rerank(case, keep=True)), dense, atol=2e-6)


def test_prints_the_ratios(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--queries", "20", "--gallery", "80", "--width", "8", "--rounds", "1"])
    printed = capsys.readouterr().out
    names = re.findall(r"^(.+?) +[\d.]+ s +[\d.]+ x", printed, re.MULTILINE)
    assert names[:4] == [
        "distances alone",
        "distances and ranking",
        "five features",
        "distances and the peers' ranking",
    ]
    assert re.search(r"dense / ours -?[\d.]+", printed)
    assert re.search(r"peak memory of the process: [\d.]+ GB", printed)
