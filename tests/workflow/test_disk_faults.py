"""Every stage on a disk that is full or read-only: a line that names the file, nothing half-made.

Not here: shards, weights and the checkpoint of a training, which the tests of their modules fill
up, and publishing, which has tests of its own.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.provenance.record import read_record, record_path
from tests.cases import long_but
from tests.faults import FULL, READ_ONLY, on_disk, with_file_limit
from tests.workflow.conftest import OCCLUDERS, Project

RUN = "results/synthetic/baseline/seed0"
OUTPUTS = {
    "render_benchmark": "results/synthetic/archive.zip",
    "render_scenes": OCCLUDERS.scenes_path(),
    "segment": f"{OCCLUDERS.masks_path()}.jsonl",
    "select": OCCLUDERS.bank_path(),
    "ingest": "results/synthetic/manifest.csv",
    "embed": f"{RUN}/features.npz",
    "score": f"{RUN}/metrics.json",
    "tabulate": "results/synthetic/tables/components.csv",
    "compare": "results/synthetic/tables/components_paired.csv",
    "draw_curves": "results/synthetic/figures/components_curves.png",
}
"""A stage, and something that it writes."""
LIMIT = 64
"""Bytes: less than any result, enough for what libraries try out as they are imported."""
MASKS = Path(OCCLUDERS.masks_path()).name
MAY_STAY = {f".{MASKS}.jsonl.lock", f"{MASKS}.checkpoint.jsonl"}
"""What is no result: the handle of a lock, and the progress of a segmentation."""


def command(project: Project, stage: str, disk: Path) -> list[str]:
    """The command that runs `stage` as the workflow did, but writes everything on `disk`."""
    record = read_record(project.folder / OUTPUTS[stage])
    folder = project.folder / record_path(Path(OUTPUTS[stage])).parent
    made = {path.stem for path in folder.glob("*.json")}
    words = [sys.executable, "-m", "pipeline.launcher", f"{record['stage']}:{stage}"]
    for name, value in record["arguments"].items():
        values = value if isinstance(value, list) else [value]
        words.append(f"--{name}")
        for each in values:
            inside = isinstance(each, str) and Path(each).parent == Path(OUTPUTS[stage]).parent
            output = inside and Path(each).name in made and each not in record["inputs"]
            words.append(str(disk / Path(each).name) if output else _word(each))
    return words


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def check_refused(code: int, said: str, names: set[str], disk: Path) -> None:
    assert code == 1, said
    assert "Traceback" not in said
    assert re.search(rf"error: [^\n]*{re.escape(str(disk))}", said), said
    assert names <= MAY_STAY


@pytest.mark.parametrize("stage", long_but(OUTPUTS, "ingest", "select"))
def test_a_file_that_cannot_grow(finished: Project, tmp_path: Path, stage: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    code, said = with_file_limit(LIMIT, command(finished, stage, disk), finished.folder)
    assert "File too large" in said, said
    check_refused(code, said, {path.name for path in disk.iterdir()}, disk)


@pytest.mark.parametrize(
    ("mount", "reason"),
    [(FULL, "No space left"), (READ_ONLY, "Read-only")],
    ids=["full", "read-only"],
)
@pytest.mark.parametrize(
    "stage",
    long_but(["select", "score", "tabulate"], "score"),
)
def test_a_disk_that_is_full_or_read_only(
    finished: Project, tmp_path: Path, stage: str, mount: str, reason: str
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    code, said, names = on_disk(mount, disk, command(finished, stage, disk), finished.folder)
    assert reason in said, said
    check_refused(code, said, names, disk)
