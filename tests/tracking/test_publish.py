"""Publishing to MLflow: everything once, and what changed in the place of the old."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.files import read_json
from pipeline.tracking.publish import RUN_FILES, publish
from tests.tracking.publishing import (
    EPOCHS,
    SEEDS,
    STARTED_MS,
    VARIANTS,
    Project,
    make_run,
    set_map,
)


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


def test_the_tables_run_holds_tables_figures_what_became_of_the_masks_and_headlines(
    project: Project,
) -> None:
    client, run_id = project.client(), project.active()["table-components"]
    metrics = client.get_run(run_id).data.metrics
    assert metrics == {"baseline_coarse_map_mean": 50.5, "baseline_coarse_rank1_mean": 60.0}
    for folder, name in (("tables", "components.csv"), ("figures", "curves.png")):
        assert [a.path for a in client.list_artifacts(run_id, folder)] == [f"{folder}/{name}"]
    banks = [a.path for a in client.list_artifacts(run_id, "bank")]
    assert banks == ["bank/summary.json", "bank/table.csv"]


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
