"""Stages on a full or read-only disk: an error that names the file, and no partial output.

Shards, weights, training checkpoints and publishing are tested with their modules.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.cases import long_but
from tests.faults import FULL, READ_ONLY, on_disk, with_file_limit
from tests.provenance.making import record_of
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
"""One output of each stage."""
LIMIT = 64
"""File size limit in bytes: below any result, but enough for files of imported libraries."""
MASKS = Path(OCCLUDERS.masks_path()).name
MAY_STAY = {f".{MASKS}.jsonl.lock", f"{MASKS}.checkpoint.jsonl"}
"""Lock file and checkpoint of the segmentation, which are no results."""


def command(project: Project, stage: str, disk: Path) -> list[str]:
    """Return the command that runs `stage` as in its record, but with all outputs on `disk`."""
    record = record_of(project.folder / OUTPUTS[stage])
    outputs = {str(Path(OUTPUTS[stage]).with_name(name)) for name in record["outputs"]}
    outputs.add(f"{OCCLUDERS.masks_path()}.checkpoint.jsonl")  # of the segmentation
    words = [sys.executable, "-m", "pipeline.launcher", f"{record['stage']}:{stage}"]
    for name, value in record["arguments"].items():
        values = value if isinstance(value, list) else [value]
        words.append("--" + name.replace("_", "-"))
        for each in values:
            word = each if isinstance(each, str) else json.dumps(each)
            words.append(str(disk / Path(word).name) if word in outputs else word)
    return words


def check_refused(code: int, stderr: str, names: set[str], disk: Path) -> None:
    assert code == 1, stderr
    assert "Traceback" not in stderr
    assert re.search(rf"error: [^\n]*{re.escape(str(disk))}", stderr), stderr
    assert names <= MAY_STAY


@pytest.mark.parametrize("stage", long_but(OUTPUTS, "ingest", "select"))
def test_file_size_limit_leaves_no_partial_output(
    finished: Project, tmp_path: Path, stage: str
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    code, stderr = with_file_limit(LIMIT, command(finished, stage, disk), finished.folder)
    assert "File too large" in stderr, stderr
    check_refused(code, stderr, {path.name for path in disk.iterdir()}, disk)


@pytest.mark.parametrize(
    ("mount", "reason"),
    [(FULL, "No space left"), pytest.param(READ_ONLY, "Read-only", marks=pytest.mark.long)],
    ids=["full", "read-only"],
)
@pytest.mark.parametrize(
    "stage",
    long_but(["select", "score", "tabulate"], "score"),
)
def test_full_or_read_only_disk_leaves_no_partial_output(
    finished: Project, tmp_path: Path, stage: str, mount: str, reason: str
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    code, stderr, names = on_disk(mount, disk, command(finished, stage, disk), finished.folder)
    assert reason in stderr, stderr
    check_refused(code, stderr, names, disk)
