"""The runs of a dataset in MLflow's sqlite database."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.files import exclusive, naming
from pipeline.tracking.database import explaining, make_database, probe
from pipeline.tracking.relocate import artifact_folder, correct_locations

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

KEY = "key"
"""Tag that holds the hash of the files that a run was published from."""
UNFINISHED = "unfinished"
"""The key of a run that is being published, or of one whose publishing was cut off."""
METRICS, PARAMS = 1000, 100
"""How many of them MLflow takes at once."""


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

    def delete_unfinished(self) -> None:
        """Delete what processes left that were killed while they published."""
        for run in self.client.search_runs([self.id], f"tags.{KEY} = '{UNFINISHED}'"):
            self._delete(run.info.run_id)

    def _named(self, name: str) -> list[Run]:
        return self.client.search_runs([self.id], f"attributes.run_name = '{name}'")

    def _delete(self, run: str) -> None:
        """Delete a run and its model; artifacts are copies, so that nothing is lost with them.

        They go first: whoever is killed in between leaves a run that is found and deleted again.
        """
        for model in self._models(run):
            shutil.rmtree(self._model_folder(model), ignore_errors=True)
            self.client.delete_logged_model(model)
        shutil.rmtree(self.artifacts / run, ignore_errors=True)
        self.client.delete_run(run)

    def _models(self, run: str) -> list[str]:
        """Ids of the models of a run."""
        found = self.client.search_logged_models(
            [self.id], filter_string=f"source_run_id = '{run}'"
        )
        return [model.model_id for model in found]

    def _model_folder(self, model: str) -> Path:
        return self.artifacts / "models" / model

    def _is_whole(self, run: Run, key: str) -> bool:
        if run.data.tags.get(KEY) != key:
            return False
        folders = [self._model_folder(model) for model in self._models(run.info.run_id)]
        return all(folder.is_dir() for folder in (self.artifacts / run.info.run_id, *folders))

    def published(self, name: str, key: str) -> str | None:
        """The id of the run of this name, if it was published with this key; it is the only one."""
        runs = self._named(name)
        whole = [run.info.run_id for run in runs if self._is_whole(run, key)]
        if not whole:
            return None
        for other in runs:
            if other.info.run_id != whole[0]:
                self._delete(other.info.run_id)
        return whole[0]

    @contextmanager
    def replacing(self, name: str, key: str, start: int, end: int) -> Iterator[str]:
        """The id of a new run that takes the place of those of its name when the block ends well.

        `start` and `end` are Unix times in milliseconds. The key is set last: a run that was cut
        off is known by that of its beginning.
        """
        old = self._named(name)
        created = self.client.create_run(self.id, start, {KEY: UNFINISHED}, name)
        run = created.info.run_id
        try:
            yield run
            self.client.set_terminated(run, end_time=end)
            self.client.set_tag(run, KEY, key)
        except BaseException:
            with suppress(Exception):  # the database may be what failed; the next time deletes it
                self._delete(run)
            raise
        for stale in old:
            self._delete(stale.info.run_id)

    def log(
        self,
        run: str,
        metrics: Sequence[Metric],
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log everything in as few transactions as MLflow allows."""
        from mlflow.entities import Param, RunTag

        labels = [RunTag(key, value) for key, value in (tags or {}).items()]
        entries = [Param(key, value) for key, value in (params or {}).items()]
        self.client.log_batch(run, metrics[:METRICS], entries[:PARAMS], labels)
        for start in range(METRICS, len(metrics), METRICS):
            self.client.log_batch(run, metrics[start : start + METRICS])
        for start in range(PARAMS, len(entries), PARAMS):
            self.client.log_batch(run, params=entries[start : start + PARAMS])

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
        probe(database)
        client = MlflowClient(f"sqlite:///{database}")
        correct_locations(database)
        experiment = Experiment(client, name, artifacts)
        experiment.delete_unfinished()
        yield experiment
