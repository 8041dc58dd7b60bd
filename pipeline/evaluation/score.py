"""Score a run: from the features of its query and gallery to metrics and a table of its queries."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from pipeline.cli import run_stage
from pipeline.errors import InputError
from pipeline.evaluation.features import (
    RERANKED,
    feature_names,
    features_origin,
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
from pipeline.files import read_json, sha256, write_json
from pipeline.options.evaluation import EvaluationOptions
from pipeline.provenance import code_hash


def rank_features(arrays: dict[str, np.ndarray], options: EvaluationOptions) -> dict[str, Ranking]:
    """The ranking by each feature that the run has, in the order of `TABLE_FEATURES`.

    Re-ranked, where `options` ask for it, is the test feature alone.
    """
    names = feature_names(arrays)
    rankings = {name: _rank(arrays, name) for name in names[:1]}
    if options.rerank is not None:
        reranked = partial(reranked_similarity, options=options.rerank)
        rankings[names[0] + RERANKED] = _rank(arrays, names[0], reranked)
    return rankings | {name: _rank(arrays, name) for name in names[1:]}


def _rank(
    arrays: dict[str, np.ndarray], feature: str, similarity: Similarity = cosine_similarity
) -> Ranking:
    return rank_gallery(
        select_feature(arrays, "query", feature),
        labels_of(arrays, "query"),
        select_feature(arrays, "gallery", feature),
        labels_of(arrays, "gallery"),
        similarity,
    )


def score(
    features: Path,
    record: Path,
    metrics: Path,
    queries: Path,
    dataset: str,
    options: EvaluationOptions,
) -> None:
    """Score a run on `dataset` by the Market-1501 protocol.

    Reads the features file and the run's record; writes `metrics` (JSON: metrics of each feature
    in percent, and the queries without a match, which count in none of them) and `queries` (CSV:
    one row per feature and query). Raises InputError when no query has a match or a feature is not
    finite, and for features of other weights than the run's.
    """
    arrays, run = read_features(features), read_json(record)
    try:
        made_of = features_origin(arrays, run["hashes"]["weights"])
        rankings = rank_features(arrays, options)
        summaries = {feature: summarise(ranking) for feature, ranking in rankings.items()}
    except InputError as error:
        raise InputError(f"{features}: {error}") from None
    unmatched = next(iter(rankings.values())).matches == 0  # the same whatever the feature
    summary = {
        "dataset": dataset,
        "trained_on": run["dataset"],
        "variant": run["variant"],
        "seed": run["seed"],
        "run": sha256(record),
        "evaluation": options.model_dump(mode="json"),
        "queries": len(arrays["query_keys"]),
        "gallery": len(arrays["gallery_keys"]),
        "queries_without_match": arrays["query_keys"][unmatched].tolist(),
        "features": {
            feature: {name: round(value, 4) for name, value in values.items()}
            for feature, values in summaries.items()
        },
    }
    write_queries(queries, arrays, rankings)
    hashes = {"features": sha256(features), "queries": sha256(queries)}
    code = code_hash("pipeline.evaluation.score")
    write_json(metrics, summary | {"hashes": hashes, "embedding": made_of, "code": code})


if __name__ == "__main__":
    run_stage(score)
