"""What the workflow plans: dry runs of projects in which little or nothing has run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.workflow.conftest import TINY, Project


def outputs(plan: str) -> set[str]:
    """All paths that the jobs of a dry run make."""
    lines = re.findall(r"^    output: (.*)$", plan, re.MULTILINE)
    return {path for line in lines for path in line.split(", ")}


def test_every_job_says_how_long_it_takes_and_how_much_memory(project: Project) -> None:
    project.configure(compute={"workers": 1})
    collected = {"all", "demo_weights", "shipped_weights_report", "synthetic_dataset"}
    plan = project.snakemake("--dry-run", *sorted(collected)).stdout
    jobs = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", plan, re.MULTILINE)
    silent = {
        name for name, said in jobs if not {"runtime", "mem_mb"} <= set(re.findall(r"(\w+)=", said))
    }
    assert silent <= collected
    threads = {name for name, said in jobs if "threads: 2" in said}
    rendering = {"render_benchmark", "render_scenes", "render_people", "render_sam_scenes"}
    assert threads == {"train", *rendering}  # in training, one for the loader process


def test_the_snakefile_for_the_catalog_plans_what_the_main_one_does(project: Project) -> None:
    assert project.planned("--snakefile", "workflow/Snakefile") == project.planned()


def test_any_variant_that_is_defined_and_any_seed_can_be_asked_for(project: Project) -> None:
    wanted = "results/synthetic/dpsm/seed7/metrics.json"
    assert {"train", "embed", "score"} <= project.planned(wanted)


def test_a_data_set_of_any_size_is_rendered_and_published(project: Project) -> None:
    large = {"train_identities": 1000, "height": 256}
    project.configure(data={"dataset": "synthetic"}, benchmark=large)
    plan = project.snakemake("--dry-run", "synthetic_dataset").stdout
    archive, dataset = sorted(
        path for path in outputs(plan) if not path.endswith("ground_truth.npz")
    )
    assert re.fullmatch(r"results/synthetic-[0-9a-f]{8}/archive\.zip", archive)
    assert dataset == archive.replace("archive.zip", "dataset")
    assert "rule ingest" not in plan


def test_two_folders_of_ones_own_are_trained_and_tested_on_each_other(
    project: Project, tmp_path: Path
) -> None:
    """Each training is there once, below the name of what it was trained on."""
    shop, gate = (
        {"dataset": "folder", "name": name, "archive": str(tmp_path)} for name in ("shop", "gate")
    )
    project.configure(data=shop, test=gate, compare=["baseline"], seeds=[0])
    made = outputs(project.snakemake("--dry-run", "all").stdout)
    assert {f"results/{name}/shards" for name in ("shop", "gate")} <= made
    assert "results/shop/baseline/seed0/weights.safetensors" in made
    assert "results/shop_to_gate/tables/components.csv" in made
    assert not [path for path in made if path.startswith(("results/folder", "results/synthetic"))]


@pytest.mark.parametrize(
    ("sections", "target", "said"),
    [
        (
            {"data": {"dataset": "market1501", "archive": "/none/market.zip"}},
            "results/market1501/manifest.csv",
            "error: /none/market.zip: expected Market-1501-v15.09.15.zip",
        ),
        (
            {"occluders": TINY["occluders"] | {"images": "/none/scenes"}},
            "all",
            "error: config: occluders.images: expected a folder of images, found nothing at /none",
        ),
    ],
)
def test_what_is_not_there_is_said_last_and_alone(
    project: Project, sections: dict, target: str, said: str
) -> None:
    project.configure(**sections)
    refused = project.snakemake(target)
    assert refused.returncode != 0
    assert refused.stdout.splitlines()[-1].startswith(said)
    assert not re.search("Traceback|Exception|WorkflowError|Wildcards", refused.stdout)
    assert not list((project.folder / ".snakemake/locks").glob("*"))  # the next one may start


def test_a_second_table_takes_no_file_of_the_first_ones_place(finished: Project) -> None:
    """Other options of training views, and of the bank: other pictures."""
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
