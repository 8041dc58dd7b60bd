"""The runs of a dataset in MLflow's sqlite database."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.files import exclusive, naming
from pipeline.tracking.database import explaining, make_database
from pipeline.tracking.relocate import artifact_folder, correct_locations

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

KEY = "key"
"""Tag that holds the hash of the files that a run was published from."""


class Experiment:
    """An MLflow experiment in which a run is known by its name and the tag `key`."""

    def __init__(self, client: MlflowClient, name: str, artifacts: Path) -> None:
        self.client = client
        self.artifacts = artifacts
        self.id = self._find(name) or client.create_experiment(
            name,
            artifact_location=artifacts.as_uri(),
            # makes the UI open on training runs instead of language models
            tags={"mlflow.experimentKind": "custom_model_development"},
        )

    def _find(self, name: str) -> str | None:
        """The id of the experiment of this name; None where there is none."""
        found = self.client.get_experiment_by_name(name)
        if found is None:
            return None
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        return found.experiment_id

    def _named(self, name: str) -> list[Run]:
        return self.client.search_runs([self.id], f"attributes.run_name = '{name}'")

    def _delete(self, run: str) -> None:
        """Delete a run and its models; artifacts are copies, so that nothing is lost with them."""
        models = self.client.search_logged_models(
            [self.id], filter_string=f"source_run_id = '{run}'"
        )
        for model in models:
            shutil.rmtree(self.artifacts / "models" / model.model_id, ignore_errors=True)
            self.client.delete_logged_model(model.model_id)
        shutil.rmtree(self.artifacts / run, ignore_errors=True)
        self.client.delete_run(run)

    def published(self, name: str, key: str) -> str | None:
        """The id of the run of this name, if it was published with this key."""
        for run in self._named(name):
            if run.data.tags.get(KEY) == key:
                return run.info.run_id
        return None

    @contextmanager
    def replacing(self, name: str, key: str, start: int, end: int) -> Iterator[str]:
        """The id of a new run in the place of those of its name.

        `start` and `end` are Unix times in milliseconds. The key is set last: a run that was cut
        off has none, and is replaced.
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
        """Log everything at once."""
        from mlflow.entities import Param, RunTag

        labels = [RunTag(key, value) for key, value in (tags or {}).items()]
        entries = [Param(key, value) for key, value in (params or {}).items()]
        self.client.log_batch(run, metrics, entries, labels)

    def add_model(self, run: str, name: str, files: Sequence[Path]) -> str:
        """Make `files` a model that the run made, and return its id: no code, no pickles."""
        from mlflow.entities import LoggedModelOutput

        model = self.client.create_logged_model(self.id, name, run, model_type="DPEFormer")
        for file in files:
            self.client.log_model_artifact(model.model_id, str(file))
        self.client.finalize_logged_model(model.model_id, "READY")
        self.client.log_outputs(run, [LoggedModelOutput(model.model_id, 0)])
        return model.model_id

    def copy(self, run: str, files: Sequence[Path], folder: str | None = None) -> None:
        """Copy files to the artifacts of a run."""
        for file in files:
            self.client.log_artifact(run, str(file), folder)


@contextmanager
def open_experiment(database: Path, name: str) -> Iterator[Experiment]:
    """The experiment of this name in a sqlite file, which is made if need be.

    Artifacts lie in `mlflow_artifacts` beside the file. Nothing is sent over the network. One
    process at a time has the experiment; others wait. Raises InputError, and nothing is lost, when
    the file stays locked by another program, cannot be written, is damaged or finds no space.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = os.environ["DO_NOT_TRACK"] = "true"
    from mlflow import MlflowClient

    database = database.parent.resolve() / database.name
    artifacts = artifact_folder(database)
    with exclusive(database), explaining(database), naming(artifacts):
        if not database.exists():
            make_database(database)
        correct_locations(database)
        yield Experiment(MlflowClient(f"sqlite:///{database}"), name, artifacts)
