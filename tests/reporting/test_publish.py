"""Publishing to MLflow: everything once, and what changed in the place of the old."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import InputError
from pipeline.files import read_json, sha256
from pipeline.reporting.publish import RUN_FILES, publish

if TYPE_CHECKING:
    from mlflow import MlflowClient

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
        "options": {"model": {"parts": 4, "selection": "dpsm"}, "training": {"lr": 0.5}},
        "compute": {"device": "auto", "workers": 0},
        "device": "cpu",
        "precision": "float32",
        "started": STARTED,
        "finished": FINISHED,
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
    lines = [f"{epoch},{0.1 * epoch},{10 - epoch - seed},\n" for epoch in range(EPOCHS)]
    (folder / "history.csv").write_text("epoch,lr,loss,k_q50\n" + "".join(lines))
    set_map(folder, 50 + seed)
    (folder / "queries.csv").write_text("feature,query\n")
    return folder


def set_map(folder: Path, value: float) -> None:
    record = read_json(folder / "run.json")
    values = {
        **{name: record[name] for name in ("dataset", "variant", "seed")},
        "trained_on": "elsewhere",
        "features": {"coarse": {"rank1": 60.0, "map": value}},
        "queries_without_match": ["a", "b"],
        "hashes": {"features": "f" * 64},
        "embedding": {"shards": "t" * 64},
    }
    (folder / "metrics.json").write_text(json.dumps(values))


class Project:
    """A folder of results, published to a database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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
        return self

    def publish(self, runs: list[Path] | None = None) -> list[dict[str, str]]:
        receipt = self.folder / "receipt.json"
        chosen = self.runs if runs is None else runs
        database = self.folder / "mlflow.db"
        publish(
            database, receipt, "drawn", "components", chosen, [self.table], [self.figure], self.bank
        )
        return read_json(receipt)

    def client(self) -> MlflowClient:
        from mlflow import MlflowClient  # only after `publish` has turned its telemetry off

        return MlflowClient(f"sqlite:///{self.folder / 'mlflow.db'}")

    def active(self) -> dict[str, str]:
        """Ids of the runs that MLflow shows, by name; no two may have the same."""
        experiment = self.client().get_experiment_by_name("drawn").experiment_id
        runs = self.client().search_runs([experiment])
        found = {run.info.run_name: run.info.run_id for run in runs}
        assert len(found) == len(runs)
        return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Published once, as making the database takes seconds; the tests read it again first."""
    made = Project(tmp_path_factory.mktemp("results")).make()
    made.publish()
    return made


def test_each_variant_and_seed_is_one_run_and_the_tables_another(project: Project) -> None:
    names = {f"{variant}-seed{seed}" for variant in VARIANTS for seed in SEEDS} | {
        "table-components"
    }
    assert set(project.active()) == names
    receipt = read_json(project.folder / "receipt.json")
    assert {entry["name"]: entry["run_id"] for entry in receipt} == project.active()


def test_a_run_has_parameters_tags_curves_metrics_and_files(project: Project) -> None:
    client, run_id = project.client(), project.active()["dpeformer-seed1"]
    run = client.get_run(run_id)
    assert run.data.params == {
        "model.parts": "4",
        "model.selection": "dpsm",
        "training.lr": "0.5",
        "compute.device": "auto",
        "compute.workers": "0",
        "device_used": "cpu",
        "precision_used": "float32",
    }
    tags = run.data.tags
    assert (tags["variant"], tags["seed"], tags["dataset"]) == ("dpeformer", "1", "drawn")
    assert tags["trained_on"] == "elsewhere"
    assert tags["hash.shards"] == "a" * 64
    assert tags["hash.bank"] == "b" * 64
    assert (tags["hash.features"], tags["hash.tested"]) == ("f" * 64, "t" * 64)
    assert "hash.pretrained" not in tags
    assert "commit" not in tags
    assert (run.info.status, run.info.start_time) == ("FINISHED", STARTED_MS)
    loss = client.get_metric_history(run_id, "loss")
    points = [(metric.step, metric.value, metric.timestamp) for metric in loss]
    assert points == [(e, 9.0 - e, STARTED_MS + 30_000 * (e + 1)) for e in range(EPOCHS)]
    assert "k_q50" not in run.data.metrics  # it has no values
    assert run.data.metrics["coarse_map"] == 51.0
    assert run.data.metrics["queries_without_match"] == 2
    folder = project.folder / "mlflow_artifacts" / run_id / "artifacts"
    for name in RUN_FILES:
        original = project.folder / "dpeformer" / "seed1" / name
        assert (folder / name).read_bytes() == original.read_bytes()
    assert {item.path for item in client.list_artifacts(run_id)} == set(RUN_FILES)


def test_the_tables_run_holds_tables_figures_the_banks_table_and_headlines(
    project: Project,
) -> None:
    client, run_id = project.client(), project.active()["table-components"]
    metrics = client.get_run(run_id).data.metrics
    assert metrics == {"baseline_coarse_map_mean": 50.5, "baseline_coarse_rank1_mean": 60.0}
    for folder, name in (("tables", "components.csv"), ("figures", "curves.png")):
        assert [a.path for a in client.list_artifacts(run_id, folder)] == [f"{folder}/{name}"]
    assert [a.path for a in client.list_artifacts(run_id, "bank")] == ["bank/table.csv"]


def test_publishing_twice_adds_nothing(project: Project) -> None:
    before = project.active()
    receipt = (project.folder / "receipt.json").read_bytes()
    project.publish()
    assert project.active() == before
    assert (project.folder / "receipt.json").read_bytes() == receipt


def test_a_changed_run_replaces_the_old_one_alone(project: Project) -> None:
    before = project.active()
    set_map(project.runs[1], 77.0)
    project.publish()
    after = project.active()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"baseline-seed1"}
    assert project.client().get_run(after["baseline-seed1"]).data.metrics["coarse_map"] == 77.0
    assert not (project.folder / "mlflow_artifacts" / before["baseline-seed1"]).exists()


def test_a_run_that_was_cut_off_is_replaced(project: Project) -> None:
    """A process that is killed leaves a run without the key."""
    experiment = project.client().get_experiment_by_name("drawn").experiment_id
    cut = project.client().create_run(experiment, run_name="baseline-seed0").info.run_id
    project.publish()
    assert project.active()["baseline-seed0"] != cut


def test_a_failure_on_the_way_leaves_the_old_run(project: Project) -> None:
    from mlflow.exceptions import MlflowException

    before = project.active()
    set_map(project.runs[0], 33.0)
    history = project.runs[0] / "history.csv"
    good = history.read_text()
    history.write_text(good.replace("loss", "lo!ss"))  # no name for MLflow
    with pytest.raises(MlflowException, match="lo!ss"):
        project.publish()
    history.write_text(good)
    assert project.active() == before
    folders = {path.name for path in (project.folder / "mlflow_artifacts").iterdir()}
    assert folders == set(before.values())


def test_a_moved_project_is_published_anew(project: Project, tmp_path: Path) -> None:
    shutil.copytree(project.folder, tmp_path / "moved")
    moved = Project(tmp_path / "moved")
    before = moved.active()
    moved.publish()
    assert not set(before.values()) & set(moved.active().values())
    run_id = moved.active()["baseline-seed0"]
    assert {item.path for item in moved.client().list_artifacts(run_id)} == set(RUN_FILES)
    artifacts = tmp_path / "moved" / "mlflow_artifacts" / run_id / "artifacts"
    assert moved.client().get_run(run_id).info.artifact_uri == artifacts.as_uri()


def test_more_values_than_mlflow_takes_at_once_all_arrive(project: Project, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "baseline", 0, dataset="long")
    lines = "".join(f"{epoch},{epoch},{epoch * 2}\n" for epoch in range(700))
    (run / "history.csv").write_text("epoch,lr,loss\n" + lines)
    record = read_json(run / "run.json") | {"options": {f"key{i}": i for i in range(250)}}
    (run / "run.json").write_text(json.dumps(record))
    publish(project.folder / "mlflow.db", tmp_path / "receipt.json", "long", "x", [run], [], [])
    run_id = read_json(tmp_path / "receipt.json")[0]["run_id"]
    loss = project.client().get_metric_history(run_id, "loss")
    assert [(metric.step, metric.value) for metric in loss] == [(e, 2 * e) for e in range(700)]
    params = project.client().get_run(run_id).data.params
    assert [params[f"key{i}"] for i in range(250)] == [str(i) for i in range(250)]


@pytest.mark.parametrize("name", RUN_FILES)
def test_a_missing_file_is_named_before_anything_is_published(tmp_path: Path, name: str) -> None:
    project = Project(tmp_path / "results").make()
    (project.runs[0] / name).unlink()
    with pytest.raises(InputError, match=name):
        project.publish()
    assert not (tmp_path / "results" / "mlflow.db").exists()


def test_runs_of_two_datasets_are_refused(tmp_path: Path) -> None:
    project = Project(tmp_path / "results").make()
    other = make_run(tmp_path / "other", "baseline", 0, dataset="market1501")
    with pytest.raises(InputError, match="drawn, market1501"):
        project.publish([*project.runs, other])
    with pytest.raises(InputError, match="no run"):
        project.publish([])
