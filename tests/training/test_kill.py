"""A training that SIGKILL interrupts at any moment, any number of times, ends with the same result.

Every other kill hits the writing of a file. `--long` kills 26 times.
"""

from __future__ import annotations

import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.files import read_json
from pipeline.options.run import RunOptions
from tests.cases import long_but
from tests.training.runs import (
    FINISHED_FILES,
    STEPS,
    command,
    compute_with,
    result,
    running_process,
)

pytestmark = pytest.mark.no_cover  # slower by half; other tests reach these lines

# runs the stage and appends a mark to a file after each step
MARKING_STAGE = """
import os
from pipeline.launcher import main
from pipeline.training.loop import Learner
from pipeline.training.train import train

step, marks = Learner.step, os.open({marks!r}, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

def marked(*arguments):
    done = step(*arguments)
    os.write(marks, b".")
    return done

Learner.step = marked
main()
"""


class KillableStage:
    """Run the stage, kill it and count the steps of each run."""

    def __init__(self, warm: Path, words: list[str], folder: Path) -> None:
        self.folder = folder
        self.marks = folder.with_name("marks")
        script = MARKING_STAGE.format(marks=str(self.marks))
        self._words = [str(warm / "python"), "-c", script, *words[3:]]

    def done(self) -> int:
        return self.marks.stat().st_size if self.marks.is_file() else 0

    def run(self, kill_after: float | None) -> tuple[int, int, int]:
        """Return the exit status, the step it resumed from, and the number of steps it did.

        `kill_after` >= 0: kill it this many seconds after its first step. `kill_after` < 0: kill it
        when it writes a file after its first step. None: let it end.
        """
        before = self.done()
        with running_process(self._words, stderr=subprocess.PIPE) as child:
            if kill_after is not None:
                while self.done() == before and child.poll() is None:
                    time.sleep(0.001)
                time.sleep(max(0.0, kill_after))
                while kill_after < 0 and not _partial_files(self.folder) and child.poll() is None:
                    pass
                child.kill()
            _, errors = child.communicate()
        found = re.search(r"resuming after step (\d+)", errors)
        assert "starts again" not in errors
        assert "ignored" not in errors
        assert child.returncode in (0, -signal.SIGKILL), errors
        return child.returncode, int(found[1]) if found else 0, self.done() - before


def _partial_files(folder: Path) -> int:
    """Count the files that are being written, or were when the process was killed."""
    return len(list(folder.glob(".partial-*")))


def check_result(folder: Path, expected: Path) -> None:
    assert result(folder) == result(expected)
    assert sorted(path.name for path in folder.iterdir()) == FINISHED_FILES


@pytest.mark.parametrize("steps", long_but([1, 3], 3))
def test_a_killed_training_resumes_to_the_same_result(
    shards: Path,
    bank: Path,
    long_options: RunOptions,
    uninterrupted: Path,
    tmp_path: Path,
    long: bool,
    warm: Path,
    steps: int,
) -> None:
    folder, kills = tmp_path / "killed", 13 if long else 2
    words = command(folder, shards, bank, long_options, compute_with(checkpoint_steps=steps))
    stage, reached, partial_files = KillableStage(warm, words, folder), 0, 0
    longest = read_json(uninterrupted / "run.json")["seconds"] / kills
    moments = [random.uniform(0, longest) if i % 2 else -1.0 for i in range(kills)]
    for kill_after in [*moments, None]:
        status, first, done = stage.run(kill_after)
        assert reached - steps <= first <= reached, (
            "more steps were lost than those since the last checkpoint"
        )
        reached = first + done
        partial_files += _partial_files(folder)
        # a kill may come after the last step, before the process ends
        if status == 0 or {path.name for path in folder.glob("*")} == set(FINISHED_FILES):
            assert reached == STEPS
            check_result(folder, uninterrupted)
            shutil.rmtree(folder)
            reached = 0
    assert status == 0
    assert partial_files or not long, "no kill hit the writing of a file"
