"""Scored runs with a table and a figure, to be published to MLflow."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.files import read_json, sha256
from pipeline.options.tracking import Destination
from pipeline.run import Run
from pipeline.tracking.publish import publish

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

VARIANTS, SEEDS, EPOCHS = ("baseline", "dpeformer"), (0, 1), 3
STARTED, FINISHED = "2024-01-02T03:04:00+00:00", "2024-01-02T03:05:30+00:00"
STARTED_MS = 1704164640000


def make_run(folder: Path, variant: str, seed: int, dataset: str = "drawn") -> Path:
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(f"{variant} {seed}".encode())
    record = {
        "dataset": dataset,
        "variant": variant,
        "seed": seed,
        "options": {
            "backbone": {"camera_embedding": 0.0},
            "model": {"parts": 4, "selection": "dpsm"},
            "training": {"lr": 0.5},
        },
        "versions": {"torch": "2.14.1", "timm": None},
        "compute": {"device": "auto", "workers": 0},
        "device": "cpu",
        "precision": "float32",
        "started": STARTED,
        "finished": FINISHED,
        "identities": 7,
        "train_images": 70,
        "code": "c" * 64,
        "commit": None,
        "dirty": None,
        "hashes": {
            "shards": "a" * 64,
            "bank": "b" * 64,
            "pretrained": None,
            "weights": sha256(folder / "weights.safetensors"),
        },
    }
    (folder / "run.json").write_text(json.dumps(record))
    lines = [f"{epoch},30.0,{0.1 * epoch},{10 - epoch - seed},\n" for epoch in range(EPOCHS)]
    (folder / "history.csv").write_text("epoch,seconds,lr,loss,k_q50\n" + "".join(lines))
    set_map(folder, 50 + seed)
    (folder / "queries.csv").write_text("feature,query\n")
    write_open_set(folder)
    return folder


def write_open_set(folder: Path, feature: str = "coarse") -> None:
    """Write a report like that of the stage open_set; 1e-4 could not be measured."""
    record = read_json(folder / "run.json")
    points = [{"rate": 1e-3, "tpr": 0.25}, {"rate": 1e-4, "tpr": None}]
    report = {
        **{name: record[name] for name in ("dataset", "variant", "seed")},
        "run": sha256(folder / "run.json"),
        "feature": feature,
        "threshold": 0.5,
        "false_positive_rate": 1e-3,
        "verification": {"points": points, "equal_error_rate": 0.125},
        "identification": None,
    }
    (folder / "open_set.json").write_text(json.dumps(report))


def set_map(folder: Path, value: float, feature: str = "coarse") -> None:
    record = read_json(folder / "run.json")
    values = {
        **{name: record[name] for name in ("dataset", "variant", "seed")},
        "trained_on": "elsewhere",
        "run": "hash",
        "evaluation": {"rerank": {"k1": 20, "k2": 6, "lambda_value": 0.3}},
        "queries": 20,
        "gallery": 30,
        "features": {feature: {"rank1": 60.0, "map": value}},
        "queries_without_match": ["a", "b"],
        "shards": "t" * 64,
    }
    (folder / "metrics.json").write_text(json.dumps(values))


def publish_training(folder: Path, server: Destination | None = None) -> str:
    """Publish a real training, with made-up scores, and return the id of its run."""
    set_map(folder, 50.0)
    (folder / "queries.csv").write_text("feature,query\n")
    write_open_set(folder)
    results = folder.parents[1]
    receipt = results / "receipt.json"
    publish(results / "mlflow.db", receipt, "toy", "x", [Run(folder)], [], [], server=server)
    return str(read_json(receipt)[0]["run_id"])


def client_of(folder: Path) -> MlflowClient:
    from mlflow import MlflowClient  # only after `publish` has turned its telemetry off

    return MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


class Project:
    """A folder of results, published to a database or a server."""

    def __init__(self, folder: Path, server: Destination | None = None) -> None:
        self.folder = folder
        self.server = server
        self.experiment = server.experiment if server else "drawn"
        self.runs = [folder / variant / f"seed{n}" for variant in VARIANTS for n in SEEDS]
        self.table, self.figure = folder / "components.csv", folder / "curves.png"
        self.bank = folder / "bank"

    def make(self) -> Project:
        for run in self.runs:
            make_run(run, run.parent.name, int(run.name[-1]))
        header = "variant,feature,seeds,rank1_mean,rank1_std,map_mean,map_std\n"
        self.table.write_text(header + "baseline,coarse,2,60.0,0.0,50.5,0.7\n")
        self.figure.write_bytes(b"a picture")
        self.bank.mkdir()
        (self.bank / "table.csv").write_text("key,verdict\n")
        (self.bank / "summary.json").write_text("{}\n")
        return self

    def change(self, value: float) -> None:
        """Give every run another result, so that all are published anew."""
        for number, run in enumerate(self.runs):
            set_map(run, value + number)

    def command(self) -> list[str]:
        """The command line by which the workflow publishes."""
        words = [sys.executable, "-m", "pipeline.launcher", "pipeline.tracking.publish:publish"]
        words += ["--experiment", "drawn", "--table", "components"]
        words += ["--database", self.folder / "mlflow.db"]
        words += ["--receipt", self.folder / "receipt.json"]
        words += ["--runs", *self.runs, "--tables", self.table, "--figures", self.figure]
        words += ["--server", self.server.model_dump_json()] if self.server else []
        return [str(word) for word in [*words, "--bank", self.bank]]

    def publish(self, runs: list[Path] | None = None) -> list[dict[str, str]]:
        receipt = self.folder / "receipt.json"
        chosen = [Run(folder) for folder in (self.runs if runs is None else runs)]
        files = ([self.table], [self.figure], self.bank, self.server)
        publish(self.folder / "mlflow.db", receipt, "drawn", "components", chosen, *files)
        return read_json(receipt)

    def client(self) -> MlflowClient:
        from mlflow import MlflowClient

        return MlflowClient(self.server.uri) if self.server else client_of(self.folder)

    def artifacts(self) -> set[str]:
        """Ids of the runs and models that have artifacts."""
        folder = self.folder / "mlflow_artifacts"
        runs = {path.name for path in folder.iterdir()} - {"models"}
        return runs | {path.name for path in (folder / "models").iterdir()}

    def models(self) -> dict[str, str]:
        """Ids of the models that MLflow shows, by name; each run but a table's has one."""
        experiment = self.client().get_experiment_by_name(self.experiment).experiment_id
        found = self.client().search_logged_models([experiment])
        runs = {self.client().get_run(model.source_run_id).info.run_name for model in found}
        assert runs == {model.name for model in found}
        return {model.name: model.model_id for model in found}

    def versions(self) -> dict[tuple[str, int], ModelVersion]:
        """The versions of registered models, by the model's name and the number."""
        own = f"name LIKE '{self.experiment}-%'" if self.server else None
        found = self.client().search_model_versions(own)
        return {(version.name, version.version): version for version in found}

    def active(self) -> dict[str, str]:
        """Ids of the runs that MLflow shows, by name; no two may have the same."""
        experiment = self.client().get_experiment_by_name(self.experiment).experiment_id
        runs = self.client().search_runs([experiment])
        found = {run.info.run_name: run.info.run_id for run in runs}
        assert len(found) == len(runs)
        return found


def check_runs(project: Project) -> None:
    """Require one finished run of each name, with its result, its model and its version."""
    client, active = project.client(), project.active()
    names = {f"{run.parent.name}-{run.name}": run for run in project.runs}
    assert set(active) == {*names, "table-components"}
    for name, run in names.items():
        shown = client.get_run(active[name])
        assert shown.info.status == "FINISHED"
        result = read_json(run / "metrics.json")["features"]["coarse"]["map"]
        assert shown.data.metrics["coarse_map"] == result
    assert set(project.models()) == set(names)
    versions = project.versions().values()
    assert {version.run_id for version in versions} == {active[name] for name in names}
