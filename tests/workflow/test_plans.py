"""Dry runs: outputs, resources and errors before any job starts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.workflow.conftest import TINY, Project


def outputs(plan: str) -> set[str]:
    """Return the outputs of all jobs in a dry run."""
    lines = re.findall(r"^    output: (.*)$", plan, re.MULTILINE)
    return {path for line in lines for path in line.split(", ")}


def test_every_job_has_runtime_and_memory(project: Project) -> None:
    project.configure(compute={"gpus": 2})
    collected = {"all", "export", "demo_weights", "shipped_weights_report", "synthetic_dataset"}
    plan = project.snakemake("--dry-run", *sorted(collected)).stdout
    jobs = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", plan, re.MULTILINE)
    resources = {name: set(re.findall(r"(\w+)=", text)) for name, text in jobs}
    incomplete = {name for name, found in resources.items() if not {"runtime", "mem_mb"} <= found}
    assert incomplete <= collected
    threads = {name for name, text in jobs if "threads: 2" in text}
    rendering = {"render_benchmark", "render_scenes", "render_people", "render_sam_scenes"}
    assert threads == {"train", "embed", *rendering}  # of the first two, one for each process
    gpus = {name for name, text in jobs if "gpu=2" in text}
    assert gpus == {"train", "embed"}


def test_catalog_snakefile_plans_the_same_rules(project: Project) -> None:
    assert project.planned("--snakefile", "workflow/Snakefile") == project.planned()


def test_synthetic_dataset_of_other_size_has_its_own_folder(project: Project) -> None:
    large = {"train_identities": 1000, "height": 256}
    project.configure(data={"dataset": "synthetic"}, benchmark=large)
    plan = project.snakemake("--dry-run", "synthetic_dataset").stdout
    archive, dataset = sorted(
        path for path in outputs(plan) if not path.endswith("ground_truth.npz")
    )
    assert re.fullmatch(r"results/synthetic-[0-9a-f]{8}/archive\.zip", archive)
    assert dataset == archive.replace("archive.zip", "dataset")
    assert "rule ingest" not in plan


def test_two_own_folders_give_one_cross_domain_experiment(project: Project, tmp_path: Path) -> None:
    """Runs are in the folder of the training set, tables in that of the experiment."""
    shop, gate = (
        {"dataset": "folder", "name": name, "archive": str(tmp_path)} for name in ("shop", "gate")
    )
    project.configure(data=shop, test=gate, compare=["baseline"], seeds=[0])
    made = outputs(project.snakemake("--dry-run", "all").stdout)
    assert {f"results/{name}/shards" for name in ("shop", "gate")} <= made
    assert "results/shop/baseline/seed0/weights.safetensors" in made
    assert "results/shop_to_gate/tables/components.csv" in made
    assert not [path for path in made if path.startswith(("results/folder", "results/synthetic"))]


def test_joint_training_has_an_experiment_per_dataset(project: Project, tmp_path: Path) -> None:
    """Each has the tables and figures that apply to its test set."""
    shop = {"dataset": "folder", "name": "shop", "archive": str(tmp_path)}
    project.configure(data=[shop, {"name": "synthetic"}], compare=["baseline"], seeds=[0])
    made = outputs(project.snakemake("--dry-run", "all").stdout)
    trained = {path for path in made if path.endswith("weights.safetensors")}
    assert trained == {"results/shop+synthetic/baseline/seed0/weights.safetensors"}
    assert "results/shop+synthetic/shards" in made
    for name, rendered in (("shop", False), ("synthetic", True)):
        tables = f"results/shop+synthetic_to_{name}/tables/components"
        assert {f"{tables}{end}" for end in (".csv", ".html", "_published.json")} <= made
        assert (f"{tables}_map_by_occlusion.html" in made) == rendered


@pytest.mark.parametrize(
    ("sections", "target", "message"),
    [
        (
            {"data": {"dataset": "market1501", "archive": "/none/market.zip"}},
            "results/market1501/manifest.csv",
            "error: /none/market.zip: expected Market-1501-v15.09.15.zip",
        ),
        (
            {"occluders": TINY["occluders"] | {"images": "/none/scenes"}},
            "all",
            "error: config: occluders.images: found no such folder /none/scenes, expected a folder",
        ),
    ],
)
def test_missing_user_path_is_the_last_line_without_traceback(
    project: Project, sections: dict, target: str, message: str
) -> None:
    project.configure(**sections)
    refused = project.snakemake(target)
    assert refused.returncode != 0
    assert refused.stdout.splitlines()[-1].startswith(message)
    assert not re.search("Traceback|Exception|WorkflowError|Wildcards", refused.stdout)
    assert not list((project.folder / ".snakemake/locks").glob("*"))


def test_second_table_overwrites_no_file_of_the_first(finished: Project) -> None:
    """Other options of training views and bank, which change the figures."""
    second = finished.of_one_run(
        table="second",
        compare=["other"],
        variants={"other": {"augment": {"pad": 3}}},
        occluders=TINY["occluders"] | {"filters": {"max_aspect": 5.0}},
    )
    plan = second.snakemake("--dry-run").stdout
    made = outputs(plan)
    assert any(path.endswith("second_views.png") for path in made)
    assert [path for path in made if (finished.folder / path).exists()] == []
