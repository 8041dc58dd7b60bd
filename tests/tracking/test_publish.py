"""Publishing to MLflow: everything once, and what changed in the place of the old."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.files import read_json
from pipeline.run import Run
from pipeline.tracking.datasets import dataset_inputs
from pipeline.tracking.publish import MODEL_FILES, RUN_FILES, publish
from pipeline.tracking.relocate import relocate
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
        "backbone.camera_embedding": "0.0",
        "model.parts": "4",
        "model.selection": "dpsm",
        "training.lr": "0.5",
        "compute.device": "auto",
        "compute.workers": "0",
        "evaluation.rerank.k1": "20",
        "evaluation.rerank.k2": "6",
        "evaluation.rerank.lambda_value": "0.3",
        "device_used": "cpu",
        "precision_used": "float32",
    }
    tags = run.data.tags
    assert (tags["variant"], tags["seed"], tags["dataset"]) == ("dpeformer", "1", "drawn")
    assert tags["trained_on"] == "elsewhere"
    assert tags["hash.shards"] == "a" * 64
    assert tags["hash.bank"] == "b" * 64
    assert tags["hash.tested"] == "t" * 64
    assert "hash.pretrained" not in tags
    assert "commit" not in tags
    assert (run.info.status, run.info.start_time) == ("FINISHED", STARTED_MS)
    loss = client.get_metric_history(run_id, "loss")
    points = [(metric.step, metric.value, metric.timestamp) for metric in loss]
    assert points == [(e, 9.0 - e, STARTED_MS + 30_000 * (e + 1)) for e in range(EPOCHS)]
    assert "k_q50" not in run.data.metrics  # it has no values
    assert run.data.metrics["coarse_map"] == 51.0
    assert run.data.metrics["queries_without_match"] == 2
    assert (run.data.metrics["map"], run.data.metrics["rank1"]) == (51.0, 60.0)
    assert run.data.metrics["threshold"] == 0.5
    assert run.data.metrics["equal_error_rate"] == 0.125
    assert run.data.metrics["verification_tpr_at_fpr_0.001"] == 0.25
    assert "verification_tpr_at_fpr_0.0001" not in run.data.metrics  # it could not be measured
    original = project.folder / "dpeformer" / "seed1"
    folder = project.folder / "mlflow_artifacts"
    for name in RUN_FILES:
        copy = folder / run_id / "artifacts" / name
        assert copy.read_bytes() == (original / name).read_bytes()
    assert {item.path for item in client.list_artifacts(run_id)} == set(RUN_FILES)


def test_a_run_has_its_weights_as_a_model_with_what_it_scored(project: Project) -> None:
    client, run_id = project.client(), project.active()["dpeformer-seed1"]
    (output,) = client.get_run(run_id).outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert (model.name, model.source_run_id, model.status) == ("dpeformer-seed1", run_id, "READY")
    scores = {metric.key: (metric.value, metric.dataset_name) for metric in model.metrics}
    assert scores["coarse_map"] == (51.0, "drawn")
    assert scores["threshold"] == (0.5, "drawn")
    shown = client.list_logged_model_artifacts(model.model_id, "artifacts")
    assert {Path(item.path).name for item in shown} == set(MODEL_FILES.values())
    copies = project.folder / "mlflow_artifacts/models" / model.model_id / "artifacts/artifacts"
    for name in MODEL_FILES.values():
        original = project.folder / "dpeformer" / "seed1" / name
        assert (copies / name).read_bytes() == original.read_bytes()


@pytest.mark.parametrize("name", ["dpeformer-seed1", "table-components"])
def test_a_run_has_the_datasets_of_its_training_and_test(project: Project, name: str) -> None:
    run = project.client().get_run(project.active()[name])
    found = {item.tags[0].value: item.dataset for item in run.inputs.dataset_inputs}
    assert {context: dataset.name for context, dataset in found.items()} == {
        "training": "elsewhere",
        "testing": "drawn",
    }
    assert found["training"].digest == "a" * 8
    assert found["testing"].digest == "t" * 8
    counts = {context: json.loads(dataset.profile) for context, dataset in found.items()}
    assert counts == {
        "training": {"num_rows": 70, "train_images": 70, "train_identities": 7},
        "testing": {"num_rows": 50, "query_images": 20, "gallery_images": 30},
    }
    assert json.loads(found["training"].source)["sha256"]["shards"] == "a" * 64


def test_one_dataset_of_both_is_shown_once(project: Project) -> None:
    record = read_json(project.runs[0] / "run.json")
    metrics = read_json(project.runs[0] / "metrics.json") | {"trained_on": "drawn"}
    (only,) = dataset_inputs(record, metrics)
    assert (only.dataset.name, only.tags[0].value) == ("drawn", "training, testing")
    assert json.loads(only.dataset.profile)["num_rows"] == 120


def test_every_dataset_of_a_joint_training_is_shown_once(project: Project) -> None:
    run = project.runs[0]
    record, metrics = (read_json(run / name) for name in ("run.json", "metrics.json"))
    record["parts"] = [
        {"dataset": name, "shards": hash * 64, "train_images": images, "identities": 3}
        for name, hash, images in (("market1501", "1", 50), ("folder:mine", "2", 20))
    ]
    metrics |= {"dataset": "folder:mine", "trained_on": "market1501+folder:mine"}
    found = dataset_inputs(record, metrics)
    assert [(item.dataset.name, item.dataset.digest, item.tags[0].value) for item in found] == [
        ("market1501", "1" * 8, "training"),
        ("folder:mine", "2" * 8, "training, testing"),
    ]
    counts = [json.loads(item.dataset.profile)["num_rows"] for item in found]
    assert counts == [50, 20 + metrics["queries"] + metrics["gallery"]]
    metrics["dataset"] = "elsewhere"
    names = [item.dataset.name for item in dataset_inputs(record, metrics)]
    assert names == ["market1501", "folder:mine", "elsewhere"]


def test_the_source_of_a_named_dataset_is_its_own_folder(project: Project) -> None:
    record = read_json(project.runs[0] / "run.json")
    metrics = read_json(project.runs[0] / "metrics.json") | {"trained_on": "folder:gate"}
    trained, tested = (item.dataset for item in dataset_inputs(record, metrics))
    assert trained.name == "folder:gate"
    assert json.loads(trained.source)["uri"] == "results/gate/shards"
    assert json.loads(tested.source)["uri"] == "results/drawn/shards"


def test_the_tables_run_holds_tables_figures_what_became_of_the_masks_and_headlines(
    project: Project,
) -> None:
    client, run_id = project.client(), project.active()["table-components"]
    metrics = client.get_run(run_id).data.metrics
    assert metrics == {"baseline/coarse/map_mean": 50.5, "baseline/coarse/rank1_mean": 60.0}
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
    project.publish()
    cut = project.active()["baseline-seed0"]
    project.client().delete_tag(cut, "key")
    project.publish()
    assert project.active()["baseline-seed0"] != cut


def test_a_failure_on_the_way_is_made_good_by_the_next(project: Project) -> None:
    from mlflow.exceptions import MlflowException

    project.publish()
    before = project.active()
    set_map(project.runs[0], 33.0)
    history = project.runs[0] / "history.csv"
    good = history.read_text()
    history.write_text(good.replace("loss", "lo!ss"))  # no name for MLflow
    with pytest.raises(MlflowException, match="lo!ss"):
        project.publish()
    history.write_text(good)
    project.publish()
    after = project.active()
    assert {name for name in after if after[name] != before[name]} == {"baseline-seed0"}
    assert project.client().get_run(after["baseline-seed0"]).data.metrics["coarse_map"] == 33.0
    assert project.artifacts() == {*after.values(), *project.models().values()}


def test_a_moved_project_shows_all_its_tables_again(project: Project, tmp_path: Path) -> None:
    """By the command that `make ui` begins with, and without publishing anything anew."""
    project.publish()
    other = make_run(project.folder / "more", "baseline", 0, dataset="other")
    receipt = project.folder / "other.json"
    publish(project.folder / "mlflow.db", receipt, "other", "x", [Run(other)], [], [])
    ids = [*project.active().values(), read_json(receipt)[0]["run_id"]]
    moved = Project(shutil.copytree(project.folder, tmp_path / "moved, ü 1"))
    relocate(moved.folder / "mlflow.db")
    for name, run_id in zip([*moved.active(), "other"], ids, strict=True):
        uri = moved.client().get_run(run_id).info.artifact_uri
        folder = moved.folder / "mlflow_artifacts" / run_id / "artifacts"
        assert uri == folder.as_uri()
        assert moved.client().list_artifacts(run_id), name
    for model in moved.models().values():
        files = {item.path for item in moved.client().list_logged_model_artifacts(model)}
        assert {"MLmodel", "model_code.py", "artifacts"} <= files
    for name, number in moved.versions():
        folder = moved.client().get_model_version_download_uri(name, number)
        assert folder.startswith((moved.folder / "mlflow_artifacts/models").as_uri())
        assert moved.versions()[name, number].source == folder
    before = moved.active()
    moved.publish()
    assert moved.active() == before


def test_nothing_to_relocate_is_no_error(project: Project, tmp_path: Path) -> None:
    relocate(tmp_path / "mlflow.db")
    assert not list(tmp_path.iterdir())
    before = (project.folder / "mlflow.db").read_bytes()
    relocate(project.folder / "mlflow.db")
    assert project.active()
    assert len(before) == (project.folder / "mlflow.db").stat().st_size


def test_more_values_than_mlflow_takes_at_once_all_arrive(project: Project, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "baseline", 0, dataset="long")
    lines = "".join(f"{epoch},1.0,{epoch},{epoch * 2}\n" for epoch in range(700))
    (run / "history.csv").write_text("epoch,seconds,lr,loss\n" + lines)
    record = read_json(run / "run.json")
    record["options"] |= {f"key{i}": i for i in range(250)}
    (run / "run.json").write_text(json.dumps(record))
    receipt = tmp_path / "receipt.json"
    publish(project.folder / "mlflow.db", receipt, "long", "x", [Run(run)], [], [])
    run_id = read_json(receipt)[0]["run_id"]
    loss = project.client().get_metric_history(run_id, "loss")
    assert [(metric.step, metric.value) for metric in loss] == [(e, 2 * e) for e in range(700)]
    params = project.client().get_run(run_id).data.params
    assert [params[f"key{i}"] for i in range(250)] == [str(i) for i in range(250)]


def test_scores_of_whole_body_queries_have_names_of_their_own(
    project: Project, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run", "baseline", 0, dataset="whole")
    whole = {"queries": 9, "features": {"coarse": {"rank1": 80.0, "map": 70.0}}}
    metrics = read_json(run / "metrics.json") | {"whole_query": whole}
    (run / "metrics.json").write_text(json.dumps(metrics))
    table = tmp_path / "components.csv"
    names = "rank1_mean,map_mean,whole_rank1_mean,whole_map_mean"
    rows = "baseline,coarse,60.0,50.0,80.0,70.0\nbaseline,coarse_reranked,60.0,50.0,,\n"
    table.write_text(f"variant,feature,{names}\n{rows}")
    receipt = tmp_path / "receipt.json"
    publish(project.folder / "mlflow.db", receipt, "whole", "x", [Run(run)], [table], [])
    published, shown = (project.client().get_run(e["run_id"]) for e in read_json(receipt))
    assert published.data.metrics["coarse_map"] == 50.0
    assert published.data.metrics["coarse_whole_map"] == 70.0
    assert published.data.metrics["coarse_whole_rank1"] == 80.0
    tested = published.inputs.dataset_inputs[-1].dataset
    assert json.loads(tested.profile)["whole_query_images"] == 9
    assert shown.data.metrics["baseline/coarse/whole_map_mean"] == 70.0
    assert "baseline/coarse_reranked/whole_map_mean" not in shown.data.metrics


@pytest.mark.parametrize("name", [*RUN_FILES, "weights.safetensors"])
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
