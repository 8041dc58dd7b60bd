"""Datasets from the user's files, up to metrics and ranked queries."""

from pathlib import Path

from pipeline.files import read_json
from pipeline.options.occluders import OccluderOptions
from tests.miniatures import (
    MINIATURES,
    dukemtmc_reid,
    write_folder,
    write_lists,
    write_zip,
)
from tests.workflow.conftest import OCCLUDERS, TINY


def occluded_duke(folder: Path) -> dict[str, str]:
    return {
        "archive": str(write_zip(folder / "DukeMTMC-reID.zip", dukemtmc_reid().files)),
        "lists": str(write_lists(folder / "lists")),
        "checks": "warn",
    }


def test_own_files_give_metrics_and_query_table(project, tmp_path):
    crops = write_folder(tmp_path / "crops", MINIATURES["folder"].files)
    project.configure(data={"dataset": "folder", "archive": str(crops), "name": "gate"})
    run = "results/gate/baseline/seed0"
    done = project.snakemake(f"{run}/metrics.json")
    assert done.returncode == 0, done.stdout[-3000:]
    metrics = read_json(project.folder / run / "metrics.json")
    assert (metrics["dataset"], metrics["queries"]) == ("folder:gate", 1)
    ranked = (project.folder / run / "queries.csv").read_text().splitlines()
    assert len(ranked) == 1 + len(metrics["features"])
    assert not project.planned(f"{run}/metrics.json")


def test_paths_may_contain_shell_characters(project, tmp_path):
    odd = tmp_path / "Anna's data; $1 (new)"
    odd.mkdir()
    occluders = TINY["occluders"] | {"images": str(odd / "scenes")}
    project.configure(data={"dataset": "occluded_duke", **occluded_duke(odd)}, occluders=occluders)
    scenes = OCCLUDERS.scenes_path()
    made = project.snakemake("results/occluded_duke/manifest.csv", scenes)
    assert made.returncode == 0, made.stdout[-3000:]
    (project.folder / scenes).rename(odd / "scenes")
    done = project.snakemake(OccluderOptions.model_validate(occluders).bank_path())
    assert done.returncode == 0, done.stdout[-3000:]


def test_archive_is_required_only_until_ingest(project, tmp_path):
    archive, manifest = tmp_path / "market.zip", "results/market1501/manifest.csv"
    project.configure(data={"dataset": "market1501", "archive": str(archive), "checks": "warn"})
    write_zip(archive, MINIATURES["market1501"].files)
    done = project.snakemake(manifest)
    assert done.returncode == 0, done.stdout[-3000:]
    archive.unlink()
    assert project.planned("results/market1501/shards") == {"shard"}
