"""Score a run: from the features of its query and gallery to metrics and a table of its queries."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cli import run_stage
from pipeline.errors import InputError
from pipeline.evaluation.metrics import Labels, Ranking, l2_normalise, rank_gallery, summarise
from pipeline.files import atomic_file, read_json, sha256, write_json
from pipeline.provenance import code_hash

FEATURES = ("blended", "coarse", "global", "blended_global", "coarse_global")
"""In the order of the tables: the first one that a variant has is its test feature."""
COLUMNS = (
    *("feature", "query", "identity", "camera"),
    *("matches", "ap", "inp", "first_match", "top10"),
)


def read_features(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a features file; see `pipeline.evaluation.embed.embed` for their names."""
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def features_origin(arrays: dict[str, np.ndarray], weights: str) -> dict[str, str]:
    """What a features file says it was made of; InputError unless that is the run's `weights`."""
    made_of = json.loads(str(arrays.get("made_of", "{}")))
    if made_of.get("weights") != weights:
        raise InputError(
            f"expected features of the weights {weights}, as the run's record says, found those of "
            f"{made_of.get('weights')}: embed the run again"
        )
    return made_of


def select_feature(arrays: dict[str, np.ndarray], split: str, name: str) -> np.ndarray:
    """The feature `name` of a split, (M, F) float32.

    `<part>_global` joins the part's feature and the global one, each of unit length.
    """
    if f"{split}_{name}" in arrays:
        return arrays[f"{split}_{name}"]
    part = name.removesuffix("_global")
    both = (arrays[f"{split}_{part}"], arrays[f"{split}_global"])
    return np.concatenate([l2_normalise(feature) for feature in both], axis=1)


def labels_of(arrays: dict[str, np.ndarray], split: str) -> Labels:
    """Identities and cameras of a split."""
    return Labels(arrays[f"{split}_identities"], arrays[f"{split}_cameras"])


def rank_features(arrays: dict[str, np.ndarray]) -> dict[str, Ranking]:
    """The ranking by each feature that the run has, in the order of `FEATURES`."""
    names = [name for name in FEATURES if f"query_{name.removesuffix('_global')}" in arrays]
    return {
        name: rank_gallery(
            select_feature(arrays, "query", name),
            labels_of(arrays, "query"),
            select_feature(arrays, "gallery", name),
            labels_of(arrays, "gallery"),
        )
        for name in names
    }


def _query_rows(
    arrays: dict[str, np.ndarray], rankings: dict[str, Ranking]
) -> Iterator[tuple[Any, ...]]:
    """Rows of `COLUMNS`; a query without a match has no ap, inp and first match."""
    gallery_keys = arrays["gallery_keys"]
    identities, cameras = labels_of(arrays, "query")
    for feature, ranking in rankings.items():
        for i, key in enumerate(arrays["query_keys"]):
            found = ("", "", "")
            if ranking.matches[i]:
                ap, inp = ranking.average_precision[i], ranking.inverse_negative_penalty[i]
                found = (f"{ap:.6f}", f"{inp:.6f}", str(ranking.first_match[i]))
            top = " ".join(gallery_keys[j] for j in ranking.top[i] if j >= 0)
            yield feature, key, identities[i], cameras[i], ranking.matches[i], *found, top


def score(features: Path, record: Path, metrics: Path, queries: Path, dataset: str) -> None:
    """Score a run on `dataset` by the Market-1501 protocol.

    Reads the features file and the run's record; writes `metrics` (JSON: metrics of each feature
    in percent, and the queries without a match, which count in none of them) and `queries` (CSV:
    one row per feature and query). Raises InputError when no query has a match or a feature is not
    finite, and for features of other weights than the run's.
    """
    arrays, run = read_features(features), read_json(record)
    try:
        made_of = features_origin(arrays, run["hashes"]["weights"])
        rankings = rank_features(arrays)
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
        "queries": len(arrays["query_keys"]),
        "gallery": len(arrays["gallery_keys"]),
        "queries_without_match": arrays["query_keys"][unmatched].tolist(),
        "features": {
            feature: {name: round(value, 4) for name, value in values.items()}
            for feature, values in summaries.items()
        },
    }
    with atomic_file(queries) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_query_rows(arrays, rankings))
    hashes = {"features": sha256(features), "queries": sha256(queries)}
    code = code_hash("pipeline.evaluation.score")
    write_json(metrics, summary | {"hashes": hashes, "embedding": made_of, "code": code})


if __name__ == "__main__":
    run_stage(score)
