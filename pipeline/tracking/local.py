"""An experiment in MLflow's sqlite database, the default."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LoggedModel
from mlflow.entities.model_registry import ModelVersion

from pipeline.files import exclusive, naming
from pipeline.tracking.database import create_database, explaining
from pipeline.tracking.experiment import Experiment
from pipeline.tracking.relocate import artifact_folder, correct_locations, point_version


class LocalExperiment(Experiment):
    """An experiment whose artifacts are in a folder beside the database."""

    def __init__(self, database: Path, name: str) -> None:
        self.database = database
        self.artifacts = artifact_folder(database)
        super().__init__(MlflowClient(f"sqlite:///{database}"), name, self.artifacts.as_uri())

    def _delete(self, run: str) -> None:
        """Delete a run, its models and its artifacts, which are copies."""
        for model in self._models_of(run):
            shutil.rmtree(self.artifacts / "models" / model.model_id, ignore_errors=True)
        shutil.rmtree(self.artifacts / run, ignore_errors=True)
        super()._delete(run)

    @contextmanager
    def _model_folder(self, model: str) -> Iterator[Path]:
        """Yield the folder of the model's artifacts: an upload would copy them once more."""
        yield self.artifacts / "models" / model / "artifacts"

    def move_version(
        self, version: ModelVersion, model: LoggedModel, tags: Mapping[str, str]
    ) -> ModelVersion:
        """Point a version at another copy of the same model; it keeps its number."""
        for key, value in tags.items():
            self.client.set_model_version_tag(version.name, version.version, key, value)
        point_version(self.database, version, model.artifact_location, model.source_run_id)
        return version


@contextmanager
def open_local(database: Path, name: str) -> Iterator[Experiment]:
    """Open the experiment `name` of a sqlite file; creates both if missing.

    Artifacts are in `mlflow_artifacts` beside the file. Works offline; other processes wait. Raises
    InputError for a file that stays locked, is damaged, cannot be written or finds no space.
    """
    database = database.parent.resolve() / database.name
    with exclusive(database), explaining(database), naming(artifact_folder(database)):
        if not database.exists():
            create_database(database)
        correct_locations(database)
        yield LocalExperiment(database, name)
