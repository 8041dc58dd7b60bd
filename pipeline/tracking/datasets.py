"""The datasets of a run as MLflow shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag

from pipeline.data.names import WHOLE_QUERY

DIGEST = 8
"""Digits of a hash that are shown; more would hide the dataset's use in the run table."""


def dataset_inputs(record: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[DatasetInput]:
    """Return the training sets and the test set of a run, which is last; each dataset once.

    `record` and `metrics` are its run.json and metrics.json. The digest is the start of the hash of
    the shards; the profile has the counts of each split.
    """
    whole = {"dataset": metrics["trained_on"], "shards": record["hashes"]["shards"]}
    whole |= {name: record[name] for name in ("train_images", "identities")}
    parts = {part["dataset"]: part for part in record.get("parts", [whole])}
    test = {"query_images": metrics["queries"], "gallery_images": metrics["gallery"]}
    if queries := metrics.get(WHOLE_QUERY):
        test[f"{WHOLE_QUERY}_images"] = queries["queries"]
    tested = metrics["dataset"]
    own = parts.pop(tested, None)
    inputs = [
        _input(name, "training", part["shards"], _train_counts(part))
        for name, part in parts.items()
    ]
    if own is None:
        return [*inputs, _input(tested, "testing", metrics["shards"], test)]
    return [*inputs, _input(tested, "training, testing", own["shards"], _train_counts(own) | test)]


def _train_counts(part: Mapping[str, Any]) -> dict[str, int]:
    return {"train_images": part["train_images"], "train_identities": part["identities"]}


def _input(name: str, context: str, shards: str, counts: dict[str, int]) -> DatasetInput:
    images = sum(count for split, count in counts.items() if split.endswith("_images"))
    folder = name.rpartition(":")[2]  # label is dataset or dataset:folder
    source = {"uri": f"results/{folder}/shards", "sha256": {"shards": shards}}
    profile = {"num_rows": images, **counts}
    dataset = Dataset(
        name=name,
        digest=shards[:DIGEST],
        source_type="local",
        source=json.dumps(source),
        profile=json.dumps(profile),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", context)])
