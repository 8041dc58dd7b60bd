"""Stage: score a run, from its features to metrics and a table of its queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.names import WHOLE_QUERY
from pipeline.errors import InputError
from pipeline.evaluation.blocks import blocks
from pipeline.evaluation.features import (
    FEATURES,
    RERANKED,
    TABLE_FEATURES,
    Labels,
    check_finite,
    check_people,
    feature_names,
    has_whole_queries,
    labels_of,
    read_features,
    release,
)
from pipeline.evaluation.metrics import Ranking, rank_similarities, summarise
from pipeline.evaluation.queries import write_queries
from pipeline.evaluation.result import result_header
from pipeline.evaluation.similarity import choose_product, cosine_similarity
from pipeline.files import write_json
from pipeline.options.evaluation import EvaluationOptions

Similarity = Callable[[slice], np.ndarray]
"""Maps rows of the queries to their similarity to the gallery, (B, G) float32."""


def rank_features(
    arrays: dict[str, np.ndarray], options: EvaluationOptions, split: str = "query"
) -> dict[str, Ranking]:
    """Rank the gallery for `split` by each feature of the run, in the order of `TABLE_FEATURES`.

    Only the test feature is re-ranked, if `options` ask for it. Raises InputError if a feature is
    not finite or a query is junk or a distractor.
    """
    query, gallery = (labels_of(arrays, name) for name in (split, "gallery"))
    check_people(query, split)
    similarities = _similarities(arrays, options, split)
    chunks = []
    for rows in blocks(len(query.identities), len(gallery.identities)):
        labels = Labels(query.identities[rows], query.cameras[rows])
        by_feature = _by_feature(similarities, rows)
        chunks.append({name: rank_similarities(s, labels, gallery) for name, s in by_feature})
    return {
        name: Ranking(*map(np.concatenate, zip(*(chunk[name] for chunk in chunks), strict=True)))
        for name in chunks[0]
    }


def _similarities(
    arrays: dict[str, np.ndarray], options: EvaluationOptions, split: str
) -> dict[str, Similarity]:
    """Return the similarity by each stored feature and by the re-ranked test feature."""
    pairs = {
        name: (arrays[f"{split}_{name}"], arrays[f"gallery_{name}"])
        for name in FEATURES
        if f"{split}_{name}" in arrays
    }
    found = {name: _cosine(*pair) for name, pair in pairs.items()}
    if options.rerank is not None:
        from pipeline.evaluation.rerank import Reranking  # imports torch and scipy: a second

        name = feature_names(arrays)[0]
        found[name + RERANKED] = Reranking(*pairs[name], options.rerank).similarity
    return found


def _cosine(query: np.ndarray, gallery: np.ndarray) -> Similarity:
    for features in (query, gallery):
        check_finite(features)
        release(features)
    product = choose_product(query, gallery)

    def similarity(rows: slice) -> np.ndarray:
        found = cosine_similarity(query[rows], gallery, product)
        release(gallery)
        return found

    return similarity


def _by_feature(
    similarities: Mapping[str, Similarity], rows: slice
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each row of the table and the similarity of the queries `rows` by it.

    <part>_global joins two unit vectors: its cosine is half the sum of theirs.
    """
    found = {name: similarity(rows) for name, similarity in similarities.items()}
    for name in TABLE_FEATURES:
        part = name.removesuffix("_global")
        if name in found:
            yield name, found[name]
        elif part in found:
            found[part] += found["global"]  # ranks as half of it
            yield name, found[part]


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
