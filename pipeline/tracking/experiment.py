"""The runs of an experiment in MLflow's sqlite database."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.files import exclusive, naming
from pipeline.tracking.database import create_database, explaining
from pipeline.tracking.relocate import artifact_folder, correct_locations
from pipeline.tracking.view import TAG, results_view

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Metric, Run

KEY = "key"
"""Tag with the hash of the files that a run was published from."""


class Experiment:
    """An MLflow experiment whose runs are identified by name and the tag `key`."""

    def __init__(self, client: MlflowClient, name: str, database: Path) -> None:
        self.client = client
        self.name = name
        self.database = database
        self.artifacts = artifacts = artifact_folder(database)
        self.id = self._find(name) or client.create_experiment(
            name,
            artifact_location=artifacts.as_uri(),
            # otherwise the UI shows language models first
            tags={"mlflow.experimentKind": "custom_model_development"},
        )
        if TAG not in client.get_experiment(self.id).tags:  # it can be edited in the UI
            client.set_experiment_tag(self.id, TAG, results_view())

    def _find(self, name: str) -> str | None:
        """Return the id of an experiment, restored if it was deleted; None if there is none."""
        found = self.client.get_experiment_by_name(name)
        if found is None:
            return None
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        return found.experiment_id

    def _named(self, name: str) -> list[Run]:
        return self.client.search_runs([self.id], f"attributes.run_name = '{name}'")

    def _delete(self, run: str) -> None:
        """Delete a run, its models and its artifacts, which are copies."""
        for model in self._models_of(run):
            shutil.rmtree(self.artifacts / "models" / model.model_id, ignore_errors=True)
            self.client.delete_logged_model(model.model_id)
        shutil.rmtree(self.artifacts / run, ignore_errors=True)
        self.client.delete_run(run)

    def published(self, name: str, key: str) -> str | None:
        """Return the id of the run `name` if it was published with `key`, else None."""
        for run in self._named(name):
            if run.data.tags.get(KEY) == key:
                return run.info.run_id
        return None

    @contextmanager
    def replacing(self, name: str, key: str, start: int, end: int) -> Iterator[str]:
        """Replace the runs `name` by a new one; yields its id.

        `start` and `end` are Unix times in milliseconds. The key is set last, so that an
        interrupted run is replaced the next time.
        """
        for old in self._named(name):
            self._delete(old.info.run_id)
        run = self.client.create_run(self.id, start, run_name=name).info.run_id
        yield run
        self.client.set_terminated(run, end_time=end)
        self.client.set_tag(run, KEY, key)

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
        yield model.model_id, self.artifacts / "models" / model.model_id / "artifacts"
        self.client.finalize_logged_model(model.model_id, "READY")
        self.client.log_outputs(run, [LoggedModelOutput(model.model_id, 0)])

    def model_of(self, run: str) -> LoggedModel:
        """Return the model of a run."""
        (model,) = self._models_of(run)
        return model

    def _models_of(self, run: str) -> list[LoggedModel]:
        found: list[LoggedModel] = self.client.search_logged_models(
            [self.id], filter_string=f"source_run_id = '{run}'"
        )
        return found

    def copy(self, run: str, files: Sequence[Path], folder: str | None = None) -> None:
        """Copy files to the artifacts of a run, into `folder`."""
        for file in files:
            self.client.log_artifact(run, str(file), folder)


@contextmanager
def open_experiment(database: Path, name: str) -> Iterator[Experiment]:
    """Open the experiment `name` of a sqlite file; creates both if missing.

    Artifacts are in `mlflow_artifacts` beside the file. Works offline; other processes wait. Raises
    InputError for a file that stays locked, is damaged, cannot be written or finds no space.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = os.environ["DO_NOT_TRACK"] = "true"
    from mlflow import MlflowClient

    database = database.parent.resolve() / database.name
    artifacts = artifact_folder(database)
    with exclusive(database), explaining(database), naming(artifacts):
        if not database.exists():
            create_database(database)
        correct_locations(database)
        yield Experiment(MlflowClient(f"sqlite:///{database}"), name, database)
