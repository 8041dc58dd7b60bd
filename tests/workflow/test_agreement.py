"""Another machine's arithmetic gives other weights, but a table that agrees."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.commands import main
from pipeline.files import read_json, sha256
from tests.workflow.conftest import Project

COMPONENTS = "results/synthetic/tables/components.csv"
TABLE = "results/synthetic/tables/one.csv"
RUN = "results/synthetic/dpeformer/seed0"
PLAIN = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}
"""No vector instructions in torch's kernels, and only the oldest in oneDNN."""


def test_table_agrees_with_its_copy(
    finished: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shutil.copy(finished.folder / COMPONENTS, tmp_path)
    main(["agree", "--table", str(finished.folder / COMPONENTS), "--reference", str(other)])
    assert "means agree with" in capsys.readouterr().out


@pytest.mark.long
def test_other_instruction_set_changes_weights_but_table_agrees(
    finished: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without vector instructions, the same processor adds in another order."""
    here = finished.of_one_run(seeds=[0, 1])
    other = replace(here, folder=shutil.copytree(here.folder, tmp_path / "other"))
    trained = other.snakemake(f"{RUN}/run.json", "--forcerun", "train", **PLAIN)
    for done in (trained, other.snakemake(TABLE), here.snakemake(TABLE)):
        assert done.returncode == 0, done.stdout[-3000:]
    ours, theirs = (project.folder / RUN for project in (here, other))
    assert sha256(ours / "weights.safetensors") != sha256(theirs / "weights.safetensors")
    assert read_json(theirs / "run.json")["cpu"] == "DEFAULT"
    main(["agree", "--table", str(here.folder / TABLE), "--reference", str(other.folder / TABLE)])
    assert "means agree with" in capsys.readouterr().out
