"""Training on one dataset and testing on others, without a new training."""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from pipeline.files import read_json, sha256
from pipeline.provenance.trace import trace
from tests.miniatures import MINIATURES, own_folders, write_zip
from tests.provenance.making import record_of
from tests.workflow.conftest import TINY, Project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project."""
    return replace(finished, folder=shutil.copytree(finished.folder, tmp_path / "copy"))


def test_run_is_tested_on_another_dataset_without_retraining(
    project, tmp_path, monkeypatch, capsys
):
    archive = write_zip(tmp_path / "Occluded_REID.zip", MINIATURES["occluded_reid"].files)
    test = {"dataset": "occluded_reid", "archive": str(archive), "checks": "warn"}
    project.configure(compare=["baseline"], seeds=[0], test=test)
    results = project.folder / "results"
    table = "results/synthetic_to_occluded_reid/tables/components.csv"
    assert "train" not in project.planned(table)
    done = project.snakemake(table)
    assert done.returncode == 0, done.stdout[-3000:]

    run = results / "synthetic_to_occluded_reid/baseline/seed0"
    metrics = read_json(run / "metrics.json")
    assert (metrics["dataset"], metrics["trained_on"]) == ("occluded_reid", "synthetic")
    assert (metrics["queries"], metrics["gallery"]) == (6, 6)
    assert metrics["run"] == sha256(results / "synthetic/baseline/seed0/run.json")
    assert not (run / "weights.safetensors").exists()
    assert not (results / "occluded_reid/baseline").exists()
    assert not project.planned(table)

    monkeypatch.chdir(project.folder)
    trace(Path(table), "baseline/coarse")
    traced = capsys.readouterr().out
    for path in (archive, results / "synthetic/archive.zip"):
        assert f"ok      {sha256(path)} " in traced

    _check_matrix(project, tmp_path, test)

    # back to its own dataset
    project.configure(compare=["baseline"], seeds=[0])
    assert not {"ingest", "train", "embed"} & project.planned("all")


def _check_matrix(project: Project, folder: Path, test: dict[str, str]) -> None:
    """Make the matrix of that training, one on photographs of one's own, and one on both."""
    own = {"dataset": "folder", "name": "own"}
    own["archive"] = str(write_zip(folder / "own.zip", own_folders().files))
    training = TINY["training"] | {"mixing": "balanced"}
    parts = [{"name": "synthetic"}, own]
    options = {"data": parts, "test": [own, test], "training": training}
    project.configure(compare=["baseline"], seeds=[0], **options)
    results = project.folder / "results"
    trained = results / "synthetic/baseline/seed0/weights.safetensors"
    before = trained.stat().st_mtime_ns
    done = project.snakemake("cross_domain")
    assert done.returncode == 0, done.stdout[-3000:]
    assert not project.planned("cross_domain")
    assert trained.stat().st_mtime_ns == before

    joint = results / "synthetic+own"
    needs = record_of(joint / "baseline/seed0/weights.safetensors")["arguments"]["needs"]
    assert needs == {"camera_embedding": False, "identities": 3, "tested": False}
    record = read_json(joint / "baseline/seed0/run.json")
    assert record["dataset"] == "synthetic+folder:own"
    assert record["identities"] == sum(part["identities"] for part in record["parts"]) == 6 + 3
    assert record["options"]["training"]["mixing"] == "balanced"
    assert "mixing" not in read_json(trained.with_name("run.json"))["options"]["training"]
    hashes = {part["dataset"]: part["shards"] for part in record["parts"]}
    assert hashes == {
        label: sha256(results / name / "shards/shards.json")
        for label, name in {"synthetic": "synthetic", "folder:own": "own"}.items()
    }
    rows = pd.read_csv(joint / "tables/components_cross_domain_runs.csv")
    cells = rows[["trained_on", "dataset"]].drop_duplicates().to_numpy().tolist()
    trained_on = ("synthetic", "folder:own", "synthetic+folder:own")
    assert cells == [[a, b] for a in trained_on for b in ("folder:own", "occluded_reid")]
    for row in rows.itertuples():
        metrics = read_json(project.folder / row.metrics)
        assert (metrics["trained_on"], metrics["dataset"]) == (row.trained_on, row.dataset)
        assert metrics["features"][row.feature]["map"] == row.map
        assert sha256(project.folder / row.metrics) == row.metrics_sha256
    assert (joint / "figures/components_cross_domain.png").exists()


def test_folder_without_test_set_needs_another_test_set(project, tmp_path):
    files = {k: v for k, v in own_folders().files.items() if k.startswith("train")}
    own = {"dataset": "folder", "archive": str(write_zip(tmp_path / "crops.zip", files))}
    manifest = "results/folder/manifest.csv"
    for role in ({"data": own}, {"test": own}):
        project.configure(**role)
        refused = project.snakemake(manifest)
        assert refused.returncode == 1
        assert "crops.zip: found no images of query, gallery" in refused.stdout
    project.configure(data=own, test={"dataset": "synthetic"})
    done = project.snakemake(manifest)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "train 9 images of 3 identities;" in done.stdout
