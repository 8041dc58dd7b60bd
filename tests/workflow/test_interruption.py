"""The workflow, stopped at moments that nobody chose, goes on to the files of an unstopped one."""

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
from tests.workflow.conftest import Project, copy_project
from tests.workflow.outcome import outcome

TABLE = "results/synthetic/tables/one.csv"


class Stop(NamedTuple):
    """How snakemake is stopped."""

    signal: signal.Signals
    whole: bool
    """The jobs get the signal too, as from a terminal; else snakemake alone."""


KILL, ORPHAN = Stop(signal.SIGKILL, True), Stop(signal.SIGKILL, False)
CTRL_C, TERMINATE = Stop(signal.SIGINT, True), Stop(signal.SIGTERM, False)
ONCE_EACH = (KILL, CTRL_C, TERMINATE, ORPHAN)
MANY, PER_PROJECT = 25, 9


class Attempts:
    """Runs of one project's workflow; none may begin a job that an earlier one has finished."""

    def __init__(self, project: Project, target: str) -> None:
        self.project, self.target = project, target
        self.finished: set[str] = set()
        self._processes: list[subprocess.Popen[str]] = []

    @property
    def printed(self) -> Path:
        """What the last of them printed; a job that outlives an earlier one still adds to its."""
        return self.project.folder / f"printed{len(self._processes)}.txt"

    def start(self) -> subprocess.Popen[str]:
        with open(self.project.folder / f"printed{len(self._processes) + 1}.txt", "w") as file:
            self._processes.append(self.project.start(self.target, stdout=file, direct=True))
        return self._processes[-1]

    def stop_after(self, seconds: float, stop: Stop) -> bool:
        """Stop snakemake so long after its first job began; False if it was done before."""
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
        self._note()
        assert code != 1 or stop.signal != signal.SIGKILL, self.printed.read_text()
        return code != 0

    def finish(self) -> None:
        code = self.start().wait()
        assert code == 0, self.printed.read_text()[-4000:]
        self._note()

    def unlock(self) -> None:
        done = self.project.snakemake("--unlock")
        assert done.returncode == 0, done.stdout

    def _note(self) -> None:
        """Keep the rules that have finished; each has one job, so that none may begin again."""
        text = self.printed.read_text()
        begun = set(re.findall(r"^localrule (\w+):", text, re.MULTILINE))
        assert not begun & self.finished, f"{begun & self.finished} ran again"
        self.finished |= set(
            re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", text, re.MULTILINE)
        )

    def end(self) -> None:
        """Leave no process behind."""
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


def test_a_stopped_workflow_goes_on_to_the_same_files(
    finished: Project, tmp_path: Path, attempts: list[Attempts]
) -> None:
    """SIGKILL of all or of snakemake alone, Ctrl-C and SIGTERM, one after another."""
    assert finished.of_one_run().snakemake(TABLE).returncode == 0
    attempts.append(Attempts(copy_project(tmp_path / "stopped", finished.warm).of_one_run(), TABLE))
    rng = random.Random(5)
    stopped = [stop for stop in ONCE_EACH if attempt(attempts[0], stop, rng.uniform(0.5, 4))]
    assert KILL in stopped
    attempts[0].finish()
    compare(attempts[0].project, finished)


@pytest.mark.long
def test_killed_at_many_moments(
    finished: Project, tmp_path: Path, attempts: list[Attempts]
) -> None:
    """Everything, with its pictures and MLflow."""
    # other tests count the files of the finished project
    whole = replace(finished, folder=tmp_path / "whole")
    shutil.copytree(finished.folder, whole.folder)
    assert whole.of_one_run().snakemake("all").returncode == 0
    rng, kills = random.Random(7), 0
    while kills < MANY:
        project = copy_project(tmp_path / f"killed{len(attempts)}", finished.warm).of_one_run()
        attempts.append(Attempts(project, "all"))
        # a job that takes longer than all the attempts would never end: some in each project
        kills += sum(attempt(attempts[-1], KILL, rng.uniform(0, 12)) for _ in range(PER_PROJECT))
        attempts[-1].finish()
        compare(project, whole)


def attempt(attempts: Attempts, stop: Stop, seconds: float) -> bool:
    """Start and stop once; what a hard kill needs then is the README's one command."""
    stopped = attempts.stop_after(seconds, stop)
    if stopped and stop.signal == signal.SIGKILL:
        attempts.unlock()
    return stopped


def compare(project: Project, expected: Project) -> None:
    """Every file is as in the other project, none is missing but pictures, and all have origins."""
    found, wanted = outcome(project.folder / "results"), outcome(expected.folder / "results")
    assert {name: wanted.get(name) for name in found} == found
    others = ("baseline/", "seed1/", "components", "figures/")
    assert {name for name in wanted if not any(other in name for other in others)} <= set(found)
    with contextlib.chdir(project.folder):
        trace(Path(TABLE))
