"""MLflow's model registry: a registered model per variant, a version per seed, an alias."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from mlflow.entities.model_registry import ModelVersion
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from pipeline.run import Run
from pipeline.tracking.experiment import Experiment

BEST = "best"
"""Alias of the version with the highest mAP of the test feature; ties: the smallest seed."""
WEIGHTS, SEED, MAP = "weights", "seed", "map"
"""Tags of a version: SHA-256 of the weights, random seed, mAP of the test feature in percent."""
DESCRIPTION = (
    "DPEFormer, variant `{variant}`, trained on {trained_on}. Input: the column `image` with JPEG "
    "or PNG bytes. Output: features of unit length, to be compared by their dot product.\n\n"
    "One version per random seed. The alias `best` is the seed with the highest mAP on {dataset}. "
    "**It is chosen on the test set: report the mean over the seeds, not its score.**"
)


class Published(NamedTuple):
    """A run in MLflow."""

    run: Run
    run_id: str


def register(experiment: Experiment, name: str, published: Sequence[Published]) -> None:
    """Make the versions of the registered model `name` those of the runs of one variant.

    A version is known by its weights: if they were scored again, the database keeps its number, and
    a server gives it a new one. A version of the same seed with other weights is deleted. Versions
    of other seeds stay.
    """
    _create(experiment, name, published[0].run)
    by_weights = {version.tags[WEIGHTS]: version for version in _versions(experiment, name)}
    wanted = {_weights(each.run): each for each in published}
    seeds = {str(each.run.seed) for each in published}
    for weights, version in by_weights.items():
        if version.tags[SEED] in seeds and weights not in wanted:
            experiment.client.delete_model_version(name, version.version)
    for weights, each in wanted.items():
        _register(experiment, name, each, by_weights.get(weights))
    _set_best(experiment, name)


def _create(experiment: Experiment, name: str, run: Run) -> None:
    """Create a registered model unless it exists."""
    if experiment.client.search_registered_models(f"name = '{name}'"):
        return
    benchmark = run.benchmark
    about = {"variant": run.variant, "dataset": benchmark.dataset}
    about["trained_on"] = benchmark.trained_on
    experiment.client.create_registered_model(name, about, DESCRIPTION.format(**about))


def _versions(experiment: Experiment, name: str) -> list[ModelVersion]:
    """Return the versions of a registered model, without those that a user added."""
    found = experiment.client.search_model_versions(f"name = '{name}'")
    return [version for version in found if WEIGHTS in version.tags]


def _register(
    experiment: Experiment, name: str, published: Published, version: ModelVersion | None
) -> None:
    """Create the version of a run, or point the one with its weights at the run."""
    run, run_id = published
    model = experiment.model_of(run_id)
    if version is None:
        version = experiment.add_version(name, model, _tags(run))
    elif version.run_id != run_id:
        version = experiment.move_version(version, model, _tags(run))
    shown = json.dumps([{"name": name, "version": version.version}])
    if model.tags.get(MLFLOW_MODEL_VERSIONS) != shown:
        experiment.client.set_logged_model_tags(model.model_id, {MLFLOW_MODEL_VERSIONS: shown})


def _weights(run: Run) -> str:
    return str(run.record["hashes"]["weights"])


def _tags(run: Run) -> dict[str, str]:
    report = run.open_set
    tags = {
        WEIGHTS: _weights(run),
        SEED: run.seed,
        MAP: run.scores["features"][report["feature"]]["map"],
        "feature": report["feature"],
        "threshold": report["threshold"],
    }
    return {name: str(value) for name, value in tags.items() if value is not None}


def _set_best(experiment: Experiment, name: str) -> None:
    """Set the alias `BEST`; unchanged if it is right."""
    client, versions = experiment.client, _versions(experiment, name)
    best = max(versions, key=lambda each: (float(each.tags[MAP]), -int(each.tags[SEED])))
    if client.get_registered_model(name).aliases.get(BEST) != best.version:
        client.set_registered_model_alias(name, BEST, best.version)
