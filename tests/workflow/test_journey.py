"""The results of `rule all`, and what reruns after a change."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

from pipeline.files import read_json, sha256

RUNS = [(variant, seed) for variant in ("baseline", "dpeformer") for seed in (0, 1)]


@pytest.fixture
def results(finished):
    return finished.folder / "results" / "synthetic"


def rows_of(table):
    with open(table, newline="") as file:
        return list(csv.DictReader(file))


def test_table_has_a_row_for_each_variant_and_feature(results):
    rows = rows_of(results / "tables/components.csv")
    features = {(row["variant"], row["feature"]) for row in rows}
    assert {("baseline", "coarse"), ("baseline", "global")} <= features
    assert {("dpeformer", "blended"), ("dpeformer", "blended_global")} <= features
    assert ("baseline", "blended") not in features
    assert all(row["seeds"] == "2" for row in rows)


def test_paired_difference_agrees_with_the_table(results):
    table = rows_of(results / "tables/components.csv")
    means = {(row["variant"], row["feature"]): row["map_mean"] for row in table}
    (row,) = rows_of(results / "tables/components_paired.csv")
    assert (row["variant"], row["reference"], row["seeds"]) == ("dpeformer", "baseline", "2")
    difference = float(means["dpeformer", "blended"]) - float(means["baseline", "coarse"])
    assert float(row["map_delta"]) == pytest.approx(difference, abs=1e-3)
    assert float(row["map_low"]) < float(row["map_delta"]) < float(row["map_high"])


def test_run_records_have_the_hashes_of_their_files(results):
    for variant, seed in RUNS:
        folder = results / variant / f"seed{seed}"
        record = read_json(folder / "run.json")
        assert (record["variant"], record["seed"]) == (variant, seed)
        assert record["hashes"]["weights"] == sha256(folder / "weights.safetensors")
        assert record["hashes"]["shards"] == sha256(results / "shards" / "shards.json")
        assert (record["hashes"]["bank"] is None) == (variant == "baseline")
        assert read_json(folder / "metrics.json")["run"] == sha256(folder / "run.json")
        assert not (folder / "checkpoint.pt").exists()


def test_all_figures_exist(results):
    names = {path.stem for path in (results / "figures").glob("*.png")}
    assert names == {
        "components_benchmark",
        "components_bank",
        "components_views",
        "components_curves",
        "components_open_set",
        "components_ablation",
        "components_ranks",
        "components_patches",
        "components_k_histogram",
        "components_attention",
        "components_map_by_occlusion",
    }


def test_every_run_is_in_mlflow_once(finished, results):
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{finished.folder}/results/mlflow.db")
    experiment = client.get_experiment_by_name("synthetic")
    names = sorted(run.info.run_name for run in client.search_runs([experiment.experiment_id]))
    assert names == sorted(
        ["table-components", *(f"{variant}-seed{seed}" for variant, seed in RUNS)]
    )
    receipt = json.loads((results / "tables/components_published.json").read_text())
    assert len(receipt) == len(names)


def test_every_figure_is_in_mlflow(finished, results):
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{finished.folder}/results/mlflow.db")
    receipt = json.loads((results / "tables/components_published.json").read_text())
    (table,) = (entry["run_id"] for entry in receipt if entry["name"] == "table-components")
    published = {Path(item.path).name for item in client.list_artifacts(table, "figures")}
    figures = {path.name for path in (results / "figures").iterdir() if path.is_file()}
    assert published == figures
    assert "components_map_by_occlusion.csv" in published


def test_second_run_has_nothing_to_do(finished):
    done = finished.snakemake("all")
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout


def change_messages(source):
    """Edit the comments, the docstring and the error messages of a module."""
    text = source.read_text().replace('"""', '"""Changed. ', 1) + "# changed\n"
    source.write_text(
        re.sub(r'raise InputError\((\s*)(f?")', r'raise InputError(\1"Changed: " \2', text)
    )


def test_changed_messages_rerun_nothing_and_changed_code_its_stage(finished):
    folder = finished.folder / "pipeline"
    shutil.copytree(folder, finished.folder / "before")
    try:
        for source in folder.rglob("*.py"):
            change_messages(source)
        (finished.folder / "README.md").write_text("Changed.")
        metrics = folder / "evaluation/metrics.py"
        assert metrics.read_text().count("100 * float(") == 1
        metrics.write_text(metrics.read_text().replace("100 * float(", "100 / float("))
        planned = finished.planned()
    finally:
        shutil.rmtree(folder)
        (finished.folder / "before").rename(folder)
    figures = {"ablation", "attention", "curves", "k_histogram", "map_by_occlusion", "patches"}
    figures |= {"ranks", "open_set_curves"}
    stages = {"score", "open_set", "tabulate", "compare", "pages", "publish", "all"}
    assert planned == stages | figures


def test_changed_variant_reruns_only_that_variant(finished):
    finished.configure(variants={"dpeformer": {"model": {"k_min": 9}}})
    try:
        plan = finished.snakemake("--dry-run").stdout
    finally:
        finished.configure()
    assert "results/synthetic/dpeformer/seed0/weights.safetensors" in plan
    assert "output: results/synthetic/baseline" not in plan
    assert "rule shard" not in plan
    assert "rule segment" not in plan


def test_changed_numbers_of_processes_and_checkpoint_steps_rerun_nothing(finished):
    assert finished.planned_with(compute={"workers": 1, "checkpoint_steps": 1, "gpus": 2}) == set()


def test_another_tracking_server_only_publishes_again(finished):
    there = {"uri": "http://127.0.0.1:9", "experiment_prefix": "alice-"}
    assert finished.planned_with(tracking=there) == {"publish", "all"}


def test_changed_precision_reruns_training_but_not_segmentation(finished):
    planned = finished.planned_with(compute={"precision": "bfloat16"})
    assert "train" in planned
    assert not planned & {"segment", "ingest"}


def test_reranking_reruns_scoring_but_not_embedding(finished):
    planned = finished.planned_with(evaluation={"rerank": {"k1": 2}})
    assert {"score", "tabulate"} <= planned
    assert not planned & {"train", "embed"}


def test_single_file_can_be_requested(finished):
    wanted = "results/synthetic/baseline/seed1/metrics.json"
    assert finished.planned(wanted, "--forcerun", "score") == {"score"}


def test_any_defined_variant_and_seed_can_be_requested(finished):
    plan = finished.snakemake("--dry-run", "results/synthetic/baseline_roa/seed7/metrics.json")
    assert plan.returncode == 0, plan.stdout
    inputs = re.search(r"rule train:\n +input: (.*)", plan.stdout)[1]
    assert "results/occluders/bank" in inputs
    assert "rule score" in plan.stdout


def test_unknown_key_stops_before_any_job(finished):
    finished.configure(model={"k_mim": 9})
    try:
        done = finished.snakemake("all")
    finally:
        finished.configure()
    assert done.returncode != 0
    assert "config: model.k_mim: no such key" in done.stdout
    assert "Traceback" not in done.stdout
