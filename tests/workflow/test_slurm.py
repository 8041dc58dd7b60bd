"""The workflow on a real Slurm of one node: same bytes, and interrupted trainings resume."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.files import read_json
from tests.workflow.conftest import TINY, Project, copy_project
from tests.workflow.outcome import outcome
from tests.workflow.slurm import missing_programs, one_node_slurm

PLUGIN = "snakemake_executor_plugin_slurm"
RUN = "results/synthetic/dpeformer/seed0"
WEIGHTS = f"{RUN}/weights.safetensors"
SLOW = {"training": TINY["training"] | {"epochs": 60}, "compute": {"checkpoint_steps": 1}}
"""A training that lasts long enough to be interrupted."""
PROFILE = (
    *("--workflow-profile", "profiles/slurm", "--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "10"),
)
WAIT_SECONDS = 300

pytestmark = [pytest.mark.long, pytest.mark.no_cover]


@pytest.fixture(scope="module")
def cluster() -> Iterator[dict[str, str]]:
    if missing := missing_programs():
        pytest.skip(
            f"found no {', '.join(missing)}: apt-get install slurmctld slurmd slurm-client munge"
        )
    if importlib.util.find_spec(PLUGIN) is None:
        pytest.skip(f"found no {PLUGIN}: pip install -c envs/constraints.txt -e '.[slurm]'")
    with one_node_slurm() as environment:
        yield environment


def test_results_equal_local_ones(
    finished: Project, cluster: dict[str, str], tmp_path: Path
) -> None:
    project = copy_project(tmp_path / "project")
    done = project.snakemake(*PROFILE, "all", **cluster)
    assert done.returncode == 0, done.stdout[-6000:]
    assert "group_evaluation" in done.stdout
    found, local = outcome(project.folder / "results"), outcome(finished.folder / "results")
    assert found.keys() == local.keys()
    assert {name for name in found if found[name] != local[name]} == set()


URGENT = ("sbatch", "--partition=urgent", "--cpus-per-task=4", "--output=/dev/null", "--wrap=true")
"""A job that needs the whole node, in the partition that preempts."""
INTERRUPTIONS = {
    "preempt": lambda job: URGENT,
    "requeue": lambda job: ("scontrol", "requeue", job),  # as after the loss of a node
    "kill": lambda job: ("scancel", "--signal=KILL", job),
}


@pytest.mark.parametrize("interruption", INTERRUPTIONS)
def test_interrupted_training_resumes_to_identical_weights(
    finished: Project,
    cluster: dict[str, str],
    tmp_path: Path,
    interruption: str,
) -> None:
    local = copy_project(tmp_path / "local", finished.warm).of_one_run(**SLOW)
    assert local.snakemake(WEIGHTS).returncode == 0
    project = copy_project(tmp_path / "project").of_one_run(**SLOW)
    with project.start(*PROFILE, WEIGHTS, **cluster) as process:
        wait_for(project.folder / RUN / "checkpoint.pt", process)
        run(cluster, *INTERRUPTIONS[interruption](running_jobs(cluster)[-1]))
        printed, _ = process.communicate()
    assert process.returncode == 0, printed[-6000:]
    assert (project.folder / WEIGHTS).read_bytes() == (local.folder / WEIGHTS).read_bytes()
    assert read_json(project.folder / RUN / "run.json")["resumed"]


def running_jobs(cluster: dict[str, str]) -> list[str]:
    columns = ("--noheader", "--states=running", "--format=%i", "--sort=i")
    return run(cluster, "squeue", *columns).split()


def run(cluster: dict[str, str], *command: str) -> str:
    environment = os.environ | cluster
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not os.path.exists(path):
        assert process.poll() is None
        assert time.monotonic() < end, f"no {path}"
        time.sleep(0.1)
