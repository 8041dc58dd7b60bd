"""A workflow that is stopped at random moments resumes to the same files."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.provenance.trace import trace
from tests.cases import long_but
from tests.workflow.conftest import Project, copy_project
from tests.workflow.outcome import outcome

TABLE = "results/synthetic/tables/one.csv"


class Stop(NamedTuple):
    """How snakemake is stopped."""

    signal: signal.Signals
    whole: bool
    """Whether the jobs get the signal too, as from a terminal, or only snakemake."""


KILL, ORPHAN = Stop(signal.SIGKILL, True), Stop(signal.SIGKILL, False)
CTRL_C, TERMINATE = Stop(signal.SIGINT, True), Stop(signal.SIGTERM, False)
SEQUENCES = [(KILL, CTRL_C), (TERMINATE, ORPHAN)]
MANY, PER_PROJECT = 25, 9


class Attempts:
    """Repeated starts of a project's workflow; none may repeat a finished job."""

    def __init__(self, project: Project, target: str) -> None:
        self.project, self.target = project, target
        self.finished: set[str] = set()
        self._processes: list[subprocess.Popen[str]] = []

    @property
    def printed(self) -> Path:
        """Output of the last start; each has its own file, because jobs may outlive snakemake."""
        return self.project.folder / f"printed{len(self._processes)}.txt"

    def start(self) -> subprocess.Popen[str]:
        with open(self.project.folder / f"printed{len(self._processes) + 1}.txt", "w") as file:
            self._processes.append(self.project.start(self.target, stdout=file, direct=True))
        return self._processes[-1]

    def stop_after(self, seconds: float, stop: Stop) -> bool:
        """Stop snakemake `seconds` after its first job started; False if it had ended before."""
        process = self.start()
        while "\nlocalrule " not in self.printed.read_text():
            if process.poll() is not None:
                break
            time.sleep(0.02)
        time.sleep(seconds)
        if process.poll() is None:
            send = os.killpg if stop.whole else os.kill
            send(process.pid, stop.signal)
        code = process.wait()
        self._collect()
        assert code != 1 or stop.signal != signal.SIGKILL, self.printed.read_text()
        return code != 0

    def finish(self) -> None:
        code = self.start().wait()
        assert code == 0, self.printed.read_text()[-4000:]
        self._collect()

    def unlock(self) -> None:
        done = self.project.snakemake("--unlock")
        assert done.returncode == 0, done.stdout

    def _collect(self) -> None:
        """Collect the finished rules; each has one job, so none may start again."""
        text = self.printed.read_text()
        started = set(re.findall(r"^localrule (\w+):", text, re.MULTILINE))
        assert not started & self.finished, f"{started & self.finished} ran again"
        self.finished |= set(
            re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", text, re.MULTILINE)
        )

    def end(self) -> None:
        """Kill the remaining processes."""
        for process in self._processes:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            process.wait()


@pytest.fixture
def attempts() -> Iterator[list[Attempts]]:
    made: list[Attempts] = []
    yield made
    for each in made:
        each.end()


@pytest.mark.parametrize("stops", long_but(SEQUENCES, SEQUENCES[0]))
def test_stopped_workflow_resumes_to_identical_files(
    finished: Project, tmp_path: Path, attempts: list[Attempts], stops: tuple[Stop, ...]
) -> None:
    """SIGKILL to all processes or to snakemake alone, Ctrl-C and SIGTERM, in sequence."""
    assert finished.of_one_run().snakemake(TABLE).returncode == 0
    attempts.append(Attempts(copy_project(tmp_path / "stopped", finished.warm).of_one_run(), TABLE))
    rng = random.Random(5)
    stopped = [stop for stop in stops if attempt(attempts[0], stop, rng.uniform(0.5, 4))]
    assert stops[0] in stopped  # the last may come too late
    attempts[0].finish()
    compare(attempts[0].project, finished)


@pytest.mark.long
def test_workflow_killed_many_times_resumes_to_identical_files(
    finished: Project, tmp_path: Path, attempts: list[Attempts]
) -> None:
    """The target is `rule all`, with figures and MLflow."""
    # a copy, because other tests count the files of the finished project
    whole = replace(finished, folder=tmp_path / "whole")
    shutil.copytree(finished.folder, whole.folder)
    assert whole.of_one_run().snakemake("all").returncode == 0
    rng, kills = random.Random(7), 0
    while kills < MANY:
        project = copy_project(tmp_path / f"killed{len(attempts)}", finished.warm).of_one_run()
        attempts.append(Attempts(project, "all"))
        # a new project after some kills, because a long job might never end
        kills += sum(attempt(attempts[-1], KILL, rng.uniform(0, 12)) for _ in range(PER_PROJECT))
        attempts[-1].finish()
        compare(project, whole)


def attempt(attempts: Attempts, stop: Stop, seconds: float) -> bool:
    """Start and stop once; after SIGKILL, unlock the folder as the README says."""
    stopped = attempts.stop_after(seconds, stop)
    if stopped and stop.signal == signal.SIGKILL:
        attempts.unlock()
    return stopped


def compare(project: Project, expected: Project) -> None:
    """Require the files of the other project, except figures, and valid records of all."""
    found, wanted = outcome(project.folder / "results"), outcome(expected.folder / "results")
    assert {name: wanted.get(name) for name in found} == found
    others = ("baseline/", "seed1/", "components", "figures/", "open_set")
    assert {name for name in wanted if not any(other in name for other in others)} <= set(found)
    with contextlib.chdir(project.folder):
        trace(Path(TABLE))
