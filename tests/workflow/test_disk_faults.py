"""Every stage on a disk that is full or read-only: a line that names the file, nothing half-made.

Not here: shards, weights and the checkpoint of a training, which the tests of their modules fill
up, and publishing, which has tests of its own.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cases import long_but
from tests.faults import FULL, READ_ONLY, on_disk, with_file_limit
from tests.workflow.conftest import OCCLUDERS, Project

OUTPUTS = {
    "synthetic.benchmark": ("archive", "ground_truth"),
    "synthetic.scenes": ("images",),
    "occluders.segment": ("masks", "record", "checkpoint"),
    "occluders.select": ("bank",),
    "data.ingest": ("images", "manifest", "record"),
    "evaluation.embed": ("features",),
    "evaluation.score": ("metrics", "queries"),
    "tables.tabulate": ("csv", "markdown", "latex", "runs"),
    "tables.compare": ("csv", "markdown"),
    "figures.curves": ("figure",),
}
"""The options of a stage that name what it writes."""
LIMIT = 64
"""Bytes: less than any result, enough for what libraries try out as they are imported."""
MASKS = Path(OCCLUDERS.masks_path()).name
MAY_STAY = {f".{MASKS}.jsonl.lock", f"{MASKS}.checkpoint.jsonl"}
"""What is no result: the handle of a lock, and the progress of a segmentation."""


@pytest.fixture(scope="module")
def plan(finished: Project) -> str:
    """What the workflow would run, with the command of every job."""
    plan = finished.snakemake("all", "--dry-run", "--forceall", "--printshellcmds")
    assert plan.returncode == 0, plan.stdout
    return plan.stdout


def command(plan: str, stage: str, disk: Path) -> list[str]:
    """The command by which the workflow runs `stage`, with everything that it writes on `disk`."""
    found = re.search(rf"python (-m pipeline\.{stage} .*?) 2>&1", plan)
    assert found
    words = ["python", *shlex.split(found[1])]
    for name in OUTPUTS[stage]:
        place = words.index(f"--{name}") + 1
        words[place] = str(disk / Path(words[place]).name)
    return words


def check_refused(code: int, said: str, names: set[str], disk: Path) -> None:
    assert code == 1, said
    assert "Traceback" not in said
    assert re.search(rf"error: [^\n]*{re.escape(str(disk))}", said), said
    assert names <= MAY_STAY


@pytest.mark.parametrize("stage", long_but(OUTPUTS, "data.ingest", "occluders.select"))
def test_a_file_that_cannot_grow(finished: Project, tmp_path: Path, plan: str, stage: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    code, said = with_file_limit(LIMIT, command(plan, stage, disk), finished.folder)
    assert "File too large" in said, said
    check_refused(code, said, {path.name for path in disk.iterdir()}, disk)


@pytest.mark.parametrize(
    ("mount", "reason"),
    [(FULL, "No space left"), (READ_ONLY, "Read-only")],
    ids=["full", "read-only"],
)
@pytest.mark.parametrize(
    "stage",
    long_but(["occluders.select", "evaluation.score", "tables.tabulate"], "evaluation.score"),
)
def test_a_disk_that_is_full_or_read_only(
    finished: Project, tmp_path: Path, plan: str, stage: str, mount: str, reason: str
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    code, said, names = on_disk(mount, disk, command(plan, stage, disk), finished.folder)
    assert reason in said, said
    check_refused(code, said, names, disk)
