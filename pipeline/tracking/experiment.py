"""The runs of an experiment in MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipeline.tracking.view import TAG, results_view

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Metric, Run
    from mlflow.entities.model_registry import ModelVersion

KEY = "key"
"""Tag with the hash of the files that a run was published from."""
LIVE = "live"
"""Tag of a run that has only the curves of a training (see `pipeline.tracking.live`)."""
CURVE = "loss"
"""The metric that every epoch has."""


def find_experiment(client: MlflowClient, name: str, artifacts: str | None = None) -> str:
    """Return the id of the experiment `name`; creates it if missing, restores it if deleted.

    `artifacts` is where a new one keeps its artifacts; None: where the server does.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        return _create_experiment(client, name, artifacts)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    if TAG not in found.tags:  # it can be edited in the UI
        client.set_experiment_tag(found.experiment_id, TAG, results_view())
    return str(found.experiment_id)


def _create_experiment(client: MlflowClient, name: str, artifacts: str | None) -> str:
    from mlflow.exceptions import MlflowException

    # otherwise the UI shows language models first
    tags = {"mlflow.experimentKind": "custom_model_development", TAG: results_view()}
    try:
        return str(client.create_experiment(name, artifacts, tags))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return find_experiment(client, name)  # another process has just created it


def runs_named(client: MlflowClient, experiment: str, name: str) -> list[Run]:
    """Return the runs `name` of an experiment, by their ids."""
    found = client.search_runs([experiment], f"attributes.run_name = '{name}'")
    return sorted(found, key=lambda run: str(run.info.run_id))


def epochs_of(client: MlflowClient, run: str) -> set[int]:
    """Return the epochs that the curves of a run have."""
    return {metric.step for metric in client.get_metric_history(run, CURVE)}


class Experiment:
    """An MLflow experiment whose runs are identified by name and the tag `key`."""

    def __init__(self, client: MlflowClient, name: str, artifacts: str | None = None) -> None:
        """Open or create the experiment (see `find_experiment`)."""
        self.client = client
        self.name = name
        self.id = find_experiment(client, name, artifacts)

    def _delete(self, run: str) -> None:
        """Delete a run and its models; the server keeps their artifacts until `mlflow gc`."""
        for model in self._models_of(run):
            self.client.delete_logged_model(model.model_id)
        self.client.delete_run(run)

    def published(self, name: str, key: str) -> str | None:
        """Return the id of the run `name` if it was published with `key`, else None."""
        for run in runs_named(self.client, self.id, name):
            if run.data.tags.get(KEY) == key:
                return str(run.info.run_id)
        return None

    @contextmanager
    def replacing(self, name: str, key: str, start: int, end: int) -> Iterator[str]:
        """Replace the runs `name` by the live one of this training, or by a new one; yields its id.

        `start` and `end` are Unix times in milliseconds. The key is set last, so that an
        interrupted run is replaced the next time.
        """
        run = self._take_live(name, start)
        for old in runs_named(self.client, self.id, name):
            if old.info.run_id != run:
                self._delete(old.info.run_id)
        run = run or self.client.create_run(self.id, start, run_name=name).info.run_id
        yield run
        self.client.set_terminated(run, end_time=end)
        self.client.set_tag(run, KEY, key)

    def _take_live(self, name: str, start: int) -> str | None:
        """Return the live run that started then, no longer marked as one; None without it."""
        for run in runs_named(self.client, self.id, name):
            if LIVE in run.data.tags and run.info.start_time == start:
                self.client.delete_tag(run.info.run_id, LIVE)
                return str(run.info.run_id)
        return None

    def log(
        self,
        run: str,
        metrics: Sequence[Metric],
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log metrics, params and tags in one batch."""
        from mlflow.entities import Param, RunTag

        labels = [RunTag(key, value) for key, value in (tags or {}).items()]
        entries = [Param(key, value) for key, value in (params or {}).items()]
        self.client.log_batch(run, metrics, entries, labels)

    @contextmanager
    def adding_model(self, run: str, name: str) -> Iterator[tuple[str, Path]]:
        """Add a model to a run; yields its id and the folder, still missing, of its files."""
        from mlflow.entities import LoggedModelOutput

        model = self.client.create_logged_model(self.id, name, run, model_type="DPEFormer")
        with self._model_folder(model.model_id) as folder:
            yield model.model_id, folder
        self.client.finalize_logged_model(model.model_id, "READY")
        self.client.log_outputs(run, [LoggedModelOutput(model.model_id, 0)])

    @contextmanager
    def _model_folder(self, model: str) -> Iterator[Path]:
        """Yield the folder, still missing, for the files of a model, which are then uploaded."""
        with TemporaryDirectory() as folder:
            files = Path(folder) / "model"
            yield files
            self.client.log_model_artifacts(model, str(files))

    def model_of(self, run: str) -> LoggedModel:
        """Return the model of a run."""
        (model,) = self._models_of(run)
        return model

    def _models_of(self, run: str) -> list[LoggedModel]:
        found: list[LoggedModel] = self.client.search_logged_models(
            [self.id], filter_string=f"source_run_id = '{run}'"
        )
        return found

    def add_version(self, name: str, model: LoggedModel, tags: Mapping[str, str]) -> ModelVersion:
        """Add a version to the registered model `name`."""
        return self.client.create_model_version(
            name,
            model.artifact_location,
            model.source_run_id,
            dict(tags),
            await_creation_for=0,  # it is there at once, and waiting is logged
            model_id=model.model_id,
        )

    def move_version(
        self, version: ModelVersion, model: LoggedModel, tags: Mapping[str, str]
    ) -> ModelVersion:
        """Point a version at another copy of the same model; returns the version.

        It gets a new number: MLflow has no call that keeps the old one.
        """
        self.client.delete_model_version(version.name, version.version)
        return self.add_version(version.name, model, tags)

    def copy(self, run: str, files: Sequence[Path], folder: str | None = None) -> None:
        """Copy files to the artifacts of a run, into `folder`."""
        for file in files:
            self.client.log_artifact(run, str(file), folder)
