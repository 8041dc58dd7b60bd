"""Trained networks in MLflow's model registry: a version per seed, known by its weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest

from pipeline.files import read_json, sha256
from pipeline.run import Run
from pipeline.tracking.models import MODEL_FILES, requirements
from pipeline.tracking.publish import publish
from tests.tracking.publishing import Project, make_run, set_map, write_open_set

BASELINE = "drawn-baseline"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Published once; do not change it."""
    made = Project(tmp_path_factory.mktemp("results") / "here").make()
    made.publish()
    return made


@pytest.fixture
def project(published: Project, tmp_path: Path) -> Project:
    """A copy of that project, published where it is now."""
    project = Project(shutil.copytree(published.folder, tmp_path / "here"))
    project.publish()
    return project


def numbers(project: Project, name: str = BASELINE) -> dict[str, int]:
    """The number of each seed's version of a model."""
    return {
        version.tags["seed"]: number
        for (model, number), version in project.versions().items()
        if model == name
    }


def best_seed(project: Project, name: str = BASELINE) -> str:
    return project.client().get_model_version_by_alias(name, "best").tags["seed"]


def retrain(run: Path) -> None:
    """Give a run other weights."""
    (run / "weights.safetensors").write_bytes(b"other weights")
    record = read_json(run / "run.json")
    record["hashes"]["weights"] = sha256(run / "weights.safetensors")
    (run / "run.json").write_text(json.dumps(record))


def folder_of(project: Project, number: int, name: str = BASELINE) -> Path:
    """The folder that a version is loaded from."""
    uri = project.client().get_model_version_download_uri(name, number)
    return Path(url2pathname(urlparse(uri).path))


def test_each_seed_of_a_variant_is_a_version(published: Project) -> None:
    assert numbers(published, "drawn-baseline") == {"0": 1, "1": 2}
    assert numbers(published, "drawn-dpeformer") == {"0": 1, "1": 2}
    assert len(published.versions()) == 4
    version = published.versions()[BASELINE, 2]
    run = published.folder / "baseline/seed1"
    assert version.tags == {
        "weights": sha256(run / "weights.safetensors"),
        "seed": "1",
        "map": "51",
        "feature": "coarse",
        "threshold": "0.5",
    }
    assert version.run_id == published.active()["baseline-seed1"]
    assert (folder_of(published, 2) / "MLmodel").is_file()


def test_a_model_says_what_it_is_and_that_the_best_is_chosen_on_the_test_set(
    published: Project,
) -> None:
    model = published.client().get_registered_model(BASELINE)
    assert model.tags == {"variant": "baseline", "dataset": "drawn", "trained_on": "elsewhere"}
    assert "trained on elsewhere" in model.description
    assert "chosen on the test set" in model.description


def test_the_page_of_a_runs_model_names_its_version(published: Project) -> None:
    model = published.client().get_logged_model(published.models()["baseline-seed1"])
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": BASELINE, "version": 2}]


def test_best_is_the_highest_map_and_of_equal_ones_the_smallest_seed(project: Project) -> None:
    assert best_seed(project) == "1"
    set_map(project.runs[1], 50)  # as seed 0
    project.publish()
    assert best_seed(project) == "0"


def test_publishing_twice_adds_no_version(project: Project) -> None:
    before = {key: version.to_proto() for key, version in project.versions().items()}
    project.publish()
    assert {key: version.to_proto() for key, version in project.versions().items()} == before


def test_weights_that_were_scored_again_keep_their_version(project: Project) -> None:
    set_map(project.runs[0], 99)
    project.publish()
    assert numbers(project) == {"0": 1, "1": 2}
    version = project.versions()[BASELINE, 1]
    assert (version.tags["map"], best_seed(project)) == ("99", "0")
    assert version.run_id == project.active()["baseline-seed0"]
    assert version.source == folder_of(project, 1).as_uri()
    assert (folder_of(project, 1) / "MLmodel").is_file()


def test_other_weights_of_a_seed_replace_its_version(project: Project) -> None:
    retrain(project.runs[1])
    project.publish()
    assert numbers(project) == {"0": 1, "1": 3}
    assert best_seed(project) == "1"
    copy = folder_of(project, 3) / "artifacts/weights.safetensors"
    assert copy.read_bytes() == b"other weights"


def test_versions_of_seeds_that_are_not_published_now_stay(project: Project) -> None:
    retrain(project.runs[0])
    project.publish([project.runs[0]])
    assert numbers(project) == {"0": 3, "1": 2}


def test_a_version_that_a_user_added_stays(project: Project) -> None:
    added = project.client().create_model_version(BASELINE, "file:///elsewhere")
    set_map(project.runs[0], 99)
    project.publish()
    assert project.versions()[BASELINE, added.version].source == "file:///elsewhere"
    assert best_seed(project) == "0"


def test_what_was_deleted_by_hand_is_registered_again(project: Project) -> None:
    client = project.client()
    client.delete_model_version(BASELINE, 2)
    client.delete_registered_model("drawn-dpeformer")
    client.delete_logged_model_tag(project.models()["baseline-seed0"], "mlflow.modelVersions")
    project.publish()
    assert numbers(project) == {"0": 1, "1": 3}
    assert best_seed(project) == "1"
    assert numbers(project, "drawn-dpeformer") == {"0": 1, "1": 2}
    model = project.client().get_logged_model(project.models()["baseline-seed0"])
    assert "mlflow.modelVersions" in model.tags


def test_a_network_that_needs_cameras_is_kept_but_not_registered(
    published: Project, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "sie/seed0", "sie", 0, dataset="cameras")
    record = read_json(run / "run.json")
    record["options"]["backbone"]["camera_embedding"] = 3.0
    (run / "run.json").write_text(json.dumps(record))
    database, receipt = tmp_path / "mlflow.db", tmp_path / "receipt.json"
    shutil.copyfile(published.folder / "mlflow.db", database)
    publish(database, receipt, "cameras", "one", [Run(run)], [], [])
    client = Project(tmp_path).client()
    assert not client.search_registered_models("name LIKE 'cameras%'")
    (output,) = client.get_run(read_json(receipt)[0]["run_id"]).outputs.model_outputs
    files = {item.path for item in client.list_logged_model_artifacts(output.model_id)}
    assert files == set(MODEL_FILES.values())


def test_a_threshold_that_cannot_be_told_is_left_out(published: Project, tmp_path: Path) -> None:
    run = make_run(tmp_path / "baseline/seed0", "baseline", 0, dataset="few")
    write_open_set(run)
    report = read_json(run / "open_set.json") | {"threshold": None}
    (run / "open_set.json").write_text(json.dumps(report))
    database, receipt = tmp_path / "mlflow.db", tmp_path / "receipt.json"
    shutil.copyfile(published.folder / "mlflow.db", database)
    publish(database, receipt, "few", "one", [Run(run)], [], [])
    project = Project(tmp_path)
    assert "threshold" not in project.versions()["few-baseline", 1].tags
    assert "threshold" not in project.client().get_run(read_json(receipt)[0]["run_id"]).data.metrics


def test_a_model_holds_no_pickle_and_no_path_of_this_machine(published: Project) -> None:
    folder = folder_of(published, 1)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {f"artifacts/{name}" for name in MODEL_FILES.values()} | {"model_code.py"} <= files
    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".pt", ".pth"))]
    assert str(Path(__file__).parents[2]) not in (folder / "MLmodel").read_text()


def test_requirements_are_pinned_to_the_versions_of_the_training() -> None:
    found = requirements({"torch": "2.14.1", "timm": None, "snakemake": "9"})
    assert "torch==2.14.1" in found
    assert "timm" in found  # a run that did not record it
    assert not [name for name in found if name.startswith("snakemake")]


def test_the_experiment_has_a_view_of_results_that_a_user_may_change(project: Project) -> None:
    client, tag = project.client(), "mlflow.sharedViewState.results"
    experiment = client.get_experiment_by_name("drawn")
    state = json.loads(json.loads(experiment.tags[tag])["state"])
    metrics = {name for name in state["selectedColumns"] if name.startswith("metrics.")}
    shown = client.get_run(project.active()["baseline-seed0"]).data.metrics
    assert {f"metrics.`{name}`" for name in shown} >= metrics
    client.set_experiment_tag(experiment.experiment_id, tag, "changed")
    project.publish()
    assert client.get_experiment(experiment.experiment_id).tags[tag] == "changed"
