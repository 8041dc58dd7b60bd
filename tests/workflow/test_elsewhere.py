"""The clone and the working directory differ; the workflow as a module of another one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.files import sha256
from tests.provenance.making import record_of
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

rule setting:
    output: "setting.txt"
    shell: "echo $MALLOC_TRIM_THRESHOLD_ > {{output}}"
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return copy_project(tmp_path / "ein Klön ü").folder


@pytest.fixture
def elsewhere(clone: Path, tmp_path: Path) -> Path:
    """A working directory with only a configuration."""
    folder = tmp_path / "my data ß"
    folder.mkdir()
    (folder / "tiny.yaml").write_text((clone / "tiny.yaml").read_text())
    return folder


def snakemake(warm: Path, folder: Path, *arguments: str) -> str:
    """Run snakemake in `folder`, without PYTHONPATH; returns its output."""
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


def test_results_are_in_the_working_directory(clone: Path, elsewhere: Path, warm: Path) -> None:
    """The shipped weights of SAM are read from the clone."""
    own = ("--configfile", "tiny.yaml", "-s", str(clone / "Snakefile"), "-d", str(elsewhere))
    snakemake(warm, elsewhere, *own, f"{OCCLUDERS.masks_path()}.jsonl")
    assert not (clone / "results").exists()
    record = record_of(elsewhere / f"{OCCLUDERS.masks_path()}.jsonl")
    shipped = clone / "workflow/weights/small_sam.safetensors"
    assert record["sources"] == {str(shipped): sha256(shipped)}


def test_workflow_is_usable_as_a_module(clone: Path, elsewhere: Path, warm: Path) -> None:
    """config.yaml in the clone supplies the keys that the other configuration lacks."""
    (elsewhere / "Snakefile").write_text(MODULE.format(clone=clone))
    planned = snakemake(warm, elsewhere, "--dry-run")
    assert "ours_train" in planned
    assert f"{clone}/workflow/weights/small_sam.safetensors" in planned
    snakemake(warm, elsewhere, OCCLUDERS.scenes_path(), "setting.txt")
    assert (elsewhere / OCCLUDERS.scenes_path()).is_dir()
    assert (elsewhere / "setting.txt").read_text() == f"{512 << 20}\n"  # `keep_freed_memory`
