"""Stage: publish runs, tables and figures to MLflow; replaces those that changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from tqdm import tqdm

from pipeline.data.names import WHOLE_QUERY
from pipeline.errors import InputError
from pipeline.files import checked_folder, sha256, write_json
from pipeline.options.base import flatten
from pipeline.run import Run
from pipeline.tracking.datasets import dataset_inputs
from pipeline.tracking.experiment import Experiment, open_experiment

if TYPE_CHECKING:
    from mlflow.entities import Dataset, DatasetInput, Metric

RUN_FILES = ("run.json", "history.csv", "metrics.json", "queries.csv")
"""Artifacts of a run."""
MODEL_FILES = ("weights.safetensors", "run.json")
"""Artifacts of its model: they are enough to load the trained network."""
LAYOUT = "datasets, models"
"""Part of every key: another value publishes all runs again."""


def milliseconds(time: str) -> int:
    """Convert an ISO 8601 time to Unix time in milliseconds."""
    return round(datetime.fromisoformat(time).timestamp() * 1000)


def _span(record: dict[str, Any]) -> tuple[int, int]:
    """Return start and end of a run in milliseconds; not reversed if the clock was set back."""
    start, end = milliseconds(record["started"]), milliseconds(record["finished"])
    return start, max(start, end)


def _epoch_metrics(history: pd.DataFrame, start: int, end: int) -> Iterator[Metric]:
    """Yield the values of each column per epoch, with times evenly spaced over the run."""
    from mlflow.entities import Metric

    for number, row in enumerate(history.to_dict("records"), start=1):
        time = start + (end - start) * number // len(history)
        for name, value in row.items():
            if name != "epoch" and pd.notna(value):
                yield Metric(str(name), float(value), time, int(row["epoch"]))


def _final_metrics(
    metrics: dict[str, Any], end: int, run: str, model: str, tested: Dataset
) -> Iterator[Metric]:
    """Yield the scores of a run's model on the test set."""
    from mlflow.entities import Metric

    parts = {"": metrics, "whole_": metrics.get(WHOLE_QUERY, {"features": {}})}
    scores = {
        f"{feature}_{prefix}{name}": value
        for prefix, part in parts.items()
        for feature, values in part["features"].items()
        for name, value in values.items()
    }
    for name, value in scores.items():
        yield Metric(name, value, end, 0, model, tested.name, tested.digest, run)
    yield Metric("queries_without_match", len(metrics["queries_without_match"]), end, 0)


def _headlines(tables: list[Path]) -> dict[str, float]:
    """Return the means of each variant and feature from the tables of variants."""
    found = {}
    for path in tables:
        if path.suffix != ".csv":
            continue
        table = pd.read_csv(path)
        if not {"variant", "feature", "map_mean", "rank1_mean"} <= set(table):
            continue
        for row in table.to_dict("records"):
            for name in ("map_mean", "rank1_mean", "whole_map_mean", "whole_rank1_mean"):
                if pd.notna(row.get(name)):
                    # a slash, because names of variants and features have underscores
                    found[f"{row['variant']}/{row['feature']}/{name}"] = float(row[name])
    return found


def _params(record: dict[str, Any], metrics: dict[str, Any]) -> dict[str, str]:
    params = flatten(record["options"]) | flatten(record["compute"], "compute.")
    params |= flatten(metrics["evaluation"], "evaluation.")
    params |= {"device_used": record["device"], "precision_used": record["precision"]}
    return {name: str(value) for name, value in params.items()}


def _tags(record: dict[str, Any], metrics: dict[str, Any]) -> dict[str, str]:
    """Return the tags for searching runs, and the hashes of their inputs."""
    tags = {name: metrics[name] for name in ("dataset", "trained_on", "variant", "seed")}
    tags |= {name: record[name] for name in ("code", "commit", "dirty")}
    hashes = record["hashes"] | {"tested": metrics["shards"]}
    tags |= {f"hash.{name}": value for name, value in hashes.items()}
    return {name: str(value) for name, value in tags.items() if value is not None}


def _publish_run(experiment: Experiment, found: Run) -> dict[str, str]:
    record, metrics = found.record, found.scores
    name = f"{found.variant}-seed{found.seed}"
    hashes = sha256(found.path("run.json")) + sha256(found.path("metrics.json"))
    key = hashlib.sha256((LAYOUT + hashes).encode()).hexdigest()
    run = experiment.published(name, key)
    if run is None:
        start, end = _span(record)
        inputs = dataset_inputs(record, metrics)
        with experiment.replacing(name, key, start, end) as run:
            experiment.client.log_inputs(run, inputs)
            model = experiment.add_model(run, name, [found.path(file) for file in MODEL_FILES])
            final = _final_metrics(metrics, end, run, model, inputs[-1].dataset)
            values = [*_epoch_metrics(found.history, start, end), *final]
            experiment.log(run, values, _params(record, metrics), _tags(record, metrics))
            experiment.copy(run, [found.path(file) for file in RUN_FILES])
    return {"name": name, "run_id": run, "key": key}


def _publish_table(
    experiment: Experiment,
    name: str,
    end: int,
    groups: dict[str, list[Path]],
    inputs: list[DatasetInput],
) -> dict[str, str]:
    """Publish a table as a run: files in a folder per group, the tables' headlines as metrics."""
    from mlflow.entities import Metric

    content = [(group, path.name, sha256(path)) for group in groups for path in groups[group]]
    key = hashlib.sha256(json.dumps([LAYOUT, *content]).encode()).hexdigest()
    run = experiment.published(name, key)
    if run is None:
        headlines = _headlines(groups["tables"]).items()
        with experiment.replacing(name, key, end, end) as run:
            experiment.client.log_inputs(run, inputs)
            experiment.log(run, [Metric(label, value, end, 0) for label, value in headlines])
            for group, paths in groups.items():
                experiment.copy(run, paths, group)
    return {"name": name, "run_id": run, "key": key}


def _check(runs: list[Run], groups: dict[str, list[Path]]) -> None:
    """Raise InputError for a missing file and for runs of several datasets."""
    for run in runs:
        for name in {*RUN_FILES, *MODEL_FILES}:
            run.path(name)
    for path in [path for paths in groups.values() for path in paths]:
        checked_folder(path.parent, path.name)
    datasets = sorted({run.benchmark.dataset for run in runs})
    if len(datasets) != 1:
        raise InputError(
            f"runs: expected runs of one dataset, found {', '.join(datasets) or 'no run'}: publish "
            "the datasets separately"
        )


def publish(
    database: Path,
    receipt: Path,
    experiment: str,
    table: str,
    runs: list[Run],
    tables: list[Path],
    figures: list[Path],
    bank: Path | None = None,
) -> None:
    """Publish scored runs with their tables and figures to MLflow.

    `database` is MLflow's sqlite file (see `open_experiment`). Runs are named `<variant>-seed<n>`
    and `table-<table>`; each has its datasets, and a training its weights as a model. A run that
    was published from other files is replaced. `receipt` (JSON) lists name, run_id and key of each.
    Raises InputError for a missing file and for runs of several datasets.
    """
    groups = {"tables": sorted(tables), "figures": sorted(figures)}
    if bank is not None:
        groups["bank"] = [bank / "table.csv", bank / "summary.json"]
    _check(runs, groups)
    end = max(_span(run.record)[1] for run in runs)
    with open_experiment(database, experiment) as opened:
        entries = [_publish_run(opened, run) for run in tqdm(runs, "publish", mininterval=5)]
        inputs = dataset_inputs(runs[0].record, runs[0].scores)
        entries.append(_publish_table(opened, f"table-{table}", end, groups, inputs))
    write_json(receipt, entries)
