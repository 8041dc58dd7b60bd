"""Stage: score a run, from its features to metrics and a table of its queries."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.names import WHOLE_QUERY
from pipeline.errors import InputError
from pipeline.evaluation.features import (
    RERANKED,
    feature_names,
    has_whole_queries,
    labels_of,
    read_features,
    select_feature,
)
from pipeline.evaluation.metrics import (
    Ranking,
    Similarity,
    cosine_similarity,
    rank_gallery,
    summarise,
)
from pipeline.evaluation.queries import write_queries
from pipeline.evaluation.rerank import reranked_similarity
from pipeline.evaluation.result import result_header
from pipeline.files import write_json
from pipeline.options.evaluation import EvaluationOptions


def rank_features(
    arrays: dict[str, np.ndarray], options: EvaluationOptions, split: str = "query"
) -> dict[str, Ranking]:
    """Rank the gallery for `split` by each feature of the run, in the order of `TABLE_FEATURES`.

    Only the test feature is re-ranked, if `options` ask for it.
    """
    names = feature_names(arrays)
    rankings = {name: _rank(arrays, split, name) for name in names[:1]}
    if options.rerank is not None:
        reranked = partial(reranked_similarity, options=options.rerank)
        rankings[names[0] + RERANKED] = _rank(arrays, split, names[0], reranked)
    return rankings | {name: _rank(arrays, split, name) for name in names[1:]}


def _rank(
    arrays: dict[str, np.ndarray],
    split: str,
    feature: str,
    similarity: Similarity = cosine_similarity,
) -> Ranking:
    return rank_gallery(
        select_feature(arrays, split, feature),
        labels_of(arrays, split),
        select_feature(arrays, "gallery", feature),
        labels_of(arrays, "gallery"),
        similarity,
    )


def _results(
    arrays: dict[str, np.ndarray], split: str, rankings: dict[str, Ranking]
) -> dict[str, Any]:
    """Summarise the queries of `split` for the metrics file."""
    keys = arrays[f"{split}_keys"]
    unmatched = next(iter(rankings.values())).matches == 0  # the same for all features
    return {
        "queries": len(keys),
        "queries_without_match": keys[unmatched].tolist(),
        "features": {
            feature: {name: round(value, 4) for name, value in summarise(ranking).items()}
            for feature, ranking in rankings.items()
        },
    }


def _whole_body_results(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Summarise whole-body queries under their own key; empty for a dataset without them."""
    if not has_whole_queries(arrays):
        return {}
    rankings = rank_features(arrays, EvaluationOptions(rerank=None), WHOLE_QUERY)
    return {WHOLE_QUERY: _results(arrays, WHOLE_QUERY, rankings)}


def score(
    features: Path,
    record: Path,
    metrics: Path,
    queries: Path,
    dataset: str,
    options: EvaluationOptions,
) -> None:
    """Score a run on `dataset` by the Market-1501 protocol.

    Reads the features file and the run's record. Writes `metrics` (JSON: metrics of each feature in
    percent, and the queries without a match, which no metric counts) and `queries` (CSV: one row
    per feature and query). Whole-body queries have the same metrics under `whole_query`; they are
    not re-ranked, and not in `queries`. Raises InputError if no query has a match or a feature is
    not finite.
    """
    arrays = read_features(features)
    try:
        rankings = rank_features(arrays, options)
        results = _results(arrays, "query", rankings) | _whole_body_results(arrays)
    except InputError as error:
        raise InputError(f"{features}: {error}") from None
    summary = {
        **result_header(record, dataset),
        "evaluation": options.model_dump(mode="json"),
        "gallery": len(arrays["gallery_keys"]),
        "shards": str(arrays["shards"]),
    }
    write_queries(queries, arrays, rankings)
    write_json(metrics, summary | results)
