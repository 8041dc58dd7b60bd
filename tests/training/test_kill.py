"""A training killed by SIGKILL at any moment, as often as one likes, ends as if nothing had been.

Every other kill falls into the writing of a file. `--long` kills 26 times.
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
    LEFT,
    STEPS,
    command,
    computed,
    result,
    started,
)

pytestmark = pytest.mark.no_cover  # slower by half; other tests reach these lines

# the stage itself, and a mark in a file for each step that it has done
WITNESSED = """
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


class Witness:
    """Runs the stage and kills it; knows how many steps each piece has done."""

    def __init__(self, warm: Path, words: list[str], folder: Path) -> None:
        self.folder = folder
        self.marks = folder.with_name("marks")
        script = WITNESSED.format(marks=str(self.marks))
        self._words = [str(warm / "python"), "-c", script, *words[3:]]

    def done(self) -> int:
        return self.marks.stat().st_size if self.marks.is_file() else 0

    def run(self, kill_after: float | None) -> tuple[int, int, int]:
        """Status, the step it went on from, and how many steps this piece did.

        With `kill_after` it is killed so many seconds after its first step and, if that is less
        than 0, as soon as it is seen to write a file; if it still runs.
        """
        before = self.done()
        with started(self._words, stderr=subprocess.PIPE) as child:
            if kill_after is not None:
                while self.done() == before and child.poll() is None:
                    time.sleep(0.001)
                time.sleep(max(0.0, kill_after))
                while kill_after < 0 and not _halves(self.folder) and child.poll() is None:
                    pass
                child.kill()
            _, said = child.communicate()
        found = re.search(r"resuming after step (\d+)", said)
        assert "anew" not in said
        assert "ignored" not in said
        assert child.returncode in (0, -signal.SIGKILL), said
        return child.returncode, int(found[1]) if found else 0, self.done() - before


def _halves(folder: Path) -> int:
    """How many files are being written, or were when the process was killed."""
    return len(list(folder.glob(".partial-*")))


def check_whole(folder: Path, expected: Path) -> None:
    assert result(folder) == result(expected)
    assert sorted(path.name for path in folder.iterdir()) == LEFT


@pytest.mark.parametrize("steps", long_but([1, 3], 3))
def test_a_training_killed_anywhere_ends_as_if_it_had_not_been(
    shards: Path,
    bank: Path,
    longer: RunOptions,
    whole: Path,
    tmp_path: Path,
    long: bool,
    warm: Path,
    steps: int,
) -> None:
    folder, kills = tmp_path / "killed", 13 if long else 2
    words = command(folder, shards, bank, longer, computed(checkpoint_steps=steps))
    witness, reached, halves = Witness(warm, words, folder), 0, 0
    longest = read_json(whole / "run.json")["seconds"] / kills
    moments = [random.uniform(0, longest) if i % 2 else -1.0 for i in range(kills)]
    for kill_after in [*moments, None]:
        status, first, done = witness.run(kill_after)
        assert reached - steps <= first <= reached, "more was lost than may be"
        reached = first + done
        halves += _halves(folder)
        # it may be killed when all is done, before the process has ended
        if status == 0 or {path.name for path in folder.glob("*")} == set(LEFT):
            assert reached == STEPS
            check_whole(folder, whole)
            shutil.rmtree(folder)
            reached = 0
    assert status == 0
    assert halves or not long, "no kill fell into the writing of a file"
