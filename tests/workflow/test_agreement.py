"""Another machine's arithmetic: other weights, and a table that says the same."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.files import read_json, sha256
from tests.workflow.conftest import Project

TABLE = "results/synthetic/tables/one.csv"
RUN = "results/synthetic/dpeformer/seed0"
PLAIN = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}
"""No vector instructions in torch's kernels, and the oldest in its library for networks."""


def test_a_table_agrees_with_that_of_another_place(finished: Project, tmp_path: Path) -> None:
    other = shutil.copy(finished.folder / "results/synthetic/tables/components.csv", tmp_path)
    done = finished.snakemake("agreement", "--config", f"other={other}")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "means are those of" in done.stdout


@pytest.mark.long
def test_other_arithmetic_gives_other_weights_and_a_table_that_agrees(
    finished: Project, tmp_path: Path
) -> None:
    """The same processor, told to do without its vector instructions, adds in another order."""
    here = finished.of_one_run(seeds=[0, 1])
    other = replace(here, folder=shutil.copytree(here.folder, tmp_path / "other"))
    trained = other.snakemake(f"{RUN}/run.json", "--forcerun", "train", **PLAIN)
    for done in (trained, other.snakemake(TABLE), here.snakemake(TABLE)):
        assert done.returncode == 0, done.stdout[-3000:]
    ours, theirs = (project.folder / RUN for project in (here, other))
    assert sha256(ours / "weights.safetensors") != sha256(theirs / "weights.safetensors")
    assert read_json(theirs / "run.json")["cpu"] == "DEFAULT"
    done = here.snakemake("agreement", "--config", f"other={other.folder / TABLE}")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "means are those of" in done.stdout
