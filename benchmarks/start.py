"""The CPU time until a job's stage can run, beside that of the libraries alone.

    python -m benchmarks.start

Each row is a new interpreter, the best of `--rounds`. The first interpreter of a row stores the
bytecode and the summaries of the modules, as the first job of a workflow does. What a stage imports
later is not counted: scoring imports torch for a large gallery.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.rows import Row

END = "import os; os._exit(0)"
"""A job ends like this, without freeing its objects."""
HASH = "from pipeline.provenance.code import code_hash; code_hash('{0}')"


class Start(NamedTuple):
    """A stage and the libraries that it cannot do without."""

    stage: str
    libraries: str


STARTS = (
    Start("pipeline.training.train:train", "timm, torch"),
    Start("pipeline.evaluation.score:score", "numpy, pydantic"),
    Start("pipeline.tables.compare:compare", "pandas"),
    Start("pipeline.data.ingest:ingest", "PIL.Image, pandas, pydantic"),
)


def cpu_seconds(code: str, rounds: int) -> float:
    """Return the CPU time of an interpreter that runs `code`, the least of some rounds."""
    times = []
    for _ in range(rounds):
        before = children_seconds()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(children_seconds() - before)
    return min(times)


def children_seconds() -> float:
    """Return the CPU time of all processes that this one has started and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Print and return the times of all `STARTS`."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.start", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    rounds = parser.parse_args(arguments).rounds
    rows = []
    for stage, libraries in STARTS:
        module = stage.partition(":")[0]
        imported = f"from pipeline.launcher import load_stage; load_stage('{stage}')"
        base = cpu_seconds(f"import {libraries}; {END}", rounds)
        start = cpu_seconds(f"{imported}; {HASH.format(module)}; {END}", rounds + 1)
        print(f"{module}: {start:.2f} s, {start / base:.2f} x its libraries ({libraries})")
        rows.append(Row(f"start of {module}", start / base, f"x the import of {libraries}"))
    return rows


if __name__ == "__main__":
    main()
