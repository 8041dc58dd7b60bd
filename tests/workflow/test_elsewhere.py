"""The clone in one folder, the results in another; and as a module of another workflow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.files import sha256
from pipeline.provenance.record import read_record
from tests.workflow.conftest import OCCLUDERS, copy_project

MODULE = """
configfile: "tiny.yaml"

module ours:
    snakefile: "{clone}/Snakefile"
    config: config

use rule * from ours as ours_*

rule mine:
    default_target: True
    input: "results/synthetic/tables/components.csv"
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return copy_project(tmp_path / "ein Klön ü").folder


@pytest.fixture
def elsewhere(clone: Path, tmp_path: Path) -> Path:
    """A working directory with a configuration, and nothing else."""
    folder = tmp_path / "my data ß"
    folder.mkdir()
    (folder / "tiny.yaml").write_text((clone / "tiny.yaml").read_text())
    return folder


def snakemake(warm: Path, folder: Path, *arguments: str) -> str:
    """What snakemake prints in `folder`; nobody has told Python where the package is."""
    binaries = os.pathsep.join([str(warm), str(Path(sys.executable).parent), os.environ["PATH"]])
    others = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [f"{warm}/python", "-m", "snakemake", "--cores", "2", *arguments],
        cwd=folder,
        env=others | {"PATH": binaries},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_results_go_to_the_working_directory_and_shipped_files_stay_in_the_clone(
    clone: Path, elsewhere: Path, warm: Path
) -> None:
    """The masks are found with the weights of SAM that the repository ships."""
    own = ("--configfile", "tiny.yaml", "-s", str(clone / "Snakefile"), "-d", str(elsewhere))
    snakemake(warm, elsewhere, *own, f"{OCCLUDERS.masks_path()}.jsonl")
    assert not (clone / "results").exists()
    record = read_record(elsewhere / f"{OCCLUDERS.masks_path()}.jsonl")
    shipped = clone / "workflow/weights/small_sam.safetensors"
    assert record["sources"] == {str(shipped): sha256(shipped)}


def test_another_workflow_imports_this_one(clone: Path, elsewhere: Path, warm: Path) -> None:
    """Its configuration says little; config.yaml in the clone says the rest."""
    (elsewhere / "Snakefile").write_text(MODULE.format(clone=clone))
    planned = snakemake(warm, elsewhere, "--dry-run")
    assert "ours_train" in planned
    assert f"{clone}/workflow/weights/small_sam.safetensors" in planned
    snakemake(warm, elsewhere, "results/synthetic/archive.zip")
