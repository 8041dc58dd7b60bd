"""Stage: publish runs, tables and figures to MLflow; replaces those that changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from mlflow.entities import DatasetInput, Metric
from tqdm import tqdm

from pipeline.errors import InputError
from pipeline.files import checked_folder, sha256, write_json
from pipeline.options.base import flatten
from pipeline.options.tracking import Destination
from pipeline.run import Run
from pipeline.tracking.datasets import dataset_inputs
from pipeline.tracking.experiment import Experiment, epochs_of
from pipeline.tracking.local import open_local
from pipeline.tracking.metrics import epoch_metrics, final_values, headlines, milliseconds
from pipeline.tracking.models import MODEL_FILES, embeds_without_labels, save_model
from pipeline.tracking.registry import Published, register
from pipeline.tracking.server import open_on_server

RUN_FILES = ("run.json", "history.csv", "metrics.json", "queries.csv", "open_set.json")
"""Artifacts of a run."""
KEY_FILES = ("run.json", "metrics.json", "open_set.json")
"""Their hashes identify a run: they contain the hashes of its other files."""
LAYOUT = "registry"
"""Part of every key: another value publishes all runs again."""


def _span(record: dict[str, Any]) -> tuple[int, int]:
    """Return start and end of a run in milliseconds; not reversed if the clock was set back."""
    start, end = milliseconds(record["started"]), milliseconds(record["finished"])
    return start, max(start, end)


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
    record = found.record
    name = f"{found.variant}-seed{found.seed}"
    hashes = "".join(sha256(found.path(file)) for file in KEY_FILES)
    key = hashlib.sha256((LAYOUT + hashes).encode()).hexdigest()
    run = experiment.published(name, key)
    if run is None:
        start, end = _span(record)
        inputs = dataset_inputs(record, found.scores)
        tested = inputs[-1].dataset
        with experiment.replacing(name, key, start, end) as run:
            experiment.client.log_inputs(run, inputs)
            with experiment.adding_model(run, name) as (model, folder):
                save_model(found, folder, model, run)
            final = [
                Metric(label, value, end, 0, model, tested.name, tested.digest, run)
                for label, value in final_values(found).items()
            ]
            sent = epochs_of(experiment.client, run)
            values = [*epoch_metrics(found.history, start, end, sent), *final]
            experiment.log(run, values, _params(record, found.scores), _tags(record, found.scores))
            experiment.copy(run, [found.path(file) for file in RUN_FILES])
    return {"name": name, "run_id": run, "key": key}


def _register_models(experiment: Experiment, published: list[Published]) -> None:
    """Register the models of each variant as <folder in results>-<variant>."""
    variants: dict[str, list[Published]] = {}
    for each in published:
        if embeds_without_labels(each.run):
            variants.setdefault(each.run.variant, []).append(each)
    for variant, its_runs in variants.items():
        register(experiment, f"{experiment.name}-{variant}", its_runs)


def _publish_table(
    experiment: Experiment,
    name: str,
    end: int,
    groups: dict[str, list[Path]],
    inputs: list[DatasetInput],
) -> dict[str, str]:
    """Publish a table as a run: files in a folder per group, the tables' headlines as metrics."""
    content = [(group, path.name, sha256(path)) for group in groups for path in groups[group]]
    key = hashlib.sha256(json.dumps([LAYOUT, *content]).encode()).hexdigest()
    run = experiment.published(name, key)
    if run is None:
        means = headlines(groups["tables"]).items()
        with experiment.replacing(name, key, end, end) as run:
            experiment.client.log_inputs(run, inputs)
            experiment.log(run, [Metric(label, value, end, 0) for label, value in means])
            for group, paths in groups.items():
                experiment.copy(run, paths, group)
    return {"name": name, "run_id": run, "key": key}


def _check(runs: list[Run], groups: dict[str, list[Path]]) -> None:
    """Raise InputError for a missing file and for runs of several datasets."""
    for run in runs:
        for name in {*RUN_FILES, *MODEL_FILES.values()}:
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
    server: Destination | None = None,
) -> None:
    """Publish scored runs with their tables and figures to MLflow.

    They go to `experiment` in `database`, MLflow's sqlite file, or to `server` if given. Runs are
    named `<variant>-seed<n>` and `table-<table>`; each has its datasets, and a training its weights
    as a model, registered as `<experiment>-<variant>`. A run that was published from other files is
    replaced. `receipt` (JSON) lists name, run_id and key of each.
    Raises InputError for a missing file, for runs of several datasets, and as `open_local` and
    `open_on_server` do.
    """
    groups = {"tables": sorted(tables), "figures": sorted(figures)}
    if bank is not None:
        groups["bank"] = [bank / "table.csv", bank / "summary.json"]
    _check(runs, groups)
    end = max(_span(run.record)[1] for run in runs)
    place = open_on_server(server, receipt.parent) if server else open_local(database, experiment)
    with place as opened:
        entries = [_publish_run(opened, run) for run in tqdm(runs, "publish", mininterval=5)]
        pairs = zip(runs, entries, strict=True)
        _register_models(opened, [Published(run, entry["run_id"]) for run, entry in pairs])
        inputs = dataset_inputs(runs[0].record, runs[0].scores)
        entries.append(_publish_table(opened, f"table-{table}", end, groups, inputs))
    write_json(receipt, entries)
