"""A comparison of many runs: its plan, and its table while runs are missing."""

from __future__ import annotations

import csv
import shutil

import pytest

from tests.workflow.conftest import Project, copy_project
from tests.workflow.test_plans import outputs

RUN = "results/synthetic/dpeformer/seed1"
PARTIAL = "results/synthetic/tables/components_partial"


@pytest.fixture
def unfinished(finished: Project, tmp_path):
    """The finished project without the metrics of one run."""
    metrics = finished.folder / RUN / "metrics.json"
    kept = shutil.move(metrics, tmp_path)
    yield finished
    shutil.move(kept, metrics)
    for path in (finished.folder / PARTIAL).parent.rglob("*partial*"):
        path.unlink()


def test_partial_table_is_made_on_request_and_says_what_is_missing(unfinished: Project) -> None:
    done = unfinished.snakemake("partial")
    assert done.returncode == 0, done.stdout[-4000:]
    assert "rule score" not in done.stdout
    with open(unfinished.folder / f"{PARTIAL}.csv", newline="") as file:
        missing = {row["variant"]: row["missing_seeds"] for row in csv.DictReader(file)}
    assert missing == {"baseline": "", "dpeformer": "1"}
    assert "<th>missing_seeds</th>" in (unfinished.folder / f"{PARTIAL}.html").read_text()


@pytest.mark.long
def test_300_runs_are_planned(tmp_path) -> None:
    """Twenty variants, five seeds, three test sets."""
    variants = {f"k{number}": {"model": {"k_min": number}} for number in range(4, 24)}
    names = ("shop", "gate", "yard")
    tests = [{"dataset": "folder", "name": name, "archive": str(tmp_path)} for name in names]
    project = copy_project(tmp_path / "project")
    project.configure(variants=variants, compare=list(variants), seeds=[0, 1, 2, 3, 4], test=tests)
    plan = project.snakemake("--dry-run", "--printshellcmds").stdout
    made = outputs(plan)
    assert sum(path.endswith("/metrics.json") for path in made) == 300
    assert sum(path.endswith("/weights.safetensors") for path in made) == 100
