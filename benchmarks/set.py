"""Run the set of benchmarks and write one table.

    python -m benchmarks                      # results/benchmarks.md and results/benchmarks.json
    python -m benchmarks --docs               # also the table in docs/performance.md

Each benchmark is a process of its own with one thread. Values are ratios of CPU times within a
process, unless the unit says otherwise. Rows that need a GPU say so where there is none.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import platform
import re
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from benchmarks.rows import Row, markdown
from pipeline.files import atomic_file, write_json
from pipeline.malloc import keep_freed_memory


class Part(NamedTuple):
    """A module of this package with its arguments."""

    module: str
    arguments: str = ""
    gpu: bool = False
    """Whether it needs a GPU."""


SET = (
    Part("ranking", "--queries 2210 --gallery 17661 --work ranking"),
    Part("ranking", "--queries 3368 --gallery 15913 --work re-ranking"),
    Part("heads", "--rounds 8"),
    Part("heads", "--images 64", gpu=True),
    Part("training", "--images 64", gpu=True),
    Part("inputs"),
    Part("start"),
    Part("plan"),
    Part("mask_bank"),
    Part("mask_bank", "--model vit_b --points-per-side 16 --images 1 --rounds 1"),
    Part(
        "mask_bank",
        "--model vit_b --points-per-side 32 --images 1 --rounds 1 --device cuda",
        gpu=True,
    ),
    Part("memory"),
    Part("scale"),
)
"""In the order of the table."""
DOCS = Path("docs/performance.md")
TABLE = re.compile(r"(?<=<!-- make bench -->\n).*?(?=<!-- end -->)", re.DOTALL)


def measure(part: Part) -> list[Row]:
    """Run a benchmark in this process, which has one thread; returns its rows."""
    import torch

    command = f"python -m benchmarks.{part.module} {part.arguments}".strip()
    if part.gpu and not torch.cuda.is_available():
        return [Row(f"on a GPU: `{command}`", None, "")]
    print(f"\n{command}", flush=True)
    rows: list[Row] = importlib.import_module(f"benchmarks.{part.module}").main(
        part.arguments.split()
    )
    return rows


def run_set(parts: Sequence[Part]) -> list[Row]:
    """Run each benchmark in a process of its own, with the settings of jobs; returns all rows."""
    os.environ["OMP_NUM_THREADS"] = "1"
    keep_freed_memory()
    context, rows = multiprocessing.get_context("spawn"), []
    for part in parts:
        # a process of multiprocessing.Pool must not start processes; one of this pool may
        with ProcessPoolExecutor(1, context) as pool:
            rows += pool.submit(measure, part).result()
    return rows


def describe_machine() -> str:
    """Return the processor, its number of cores, the GPU and torch's version."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    capability = torch.backends.cpu.get_cpu_capability()
    return (
        f"{_processor()} ({capability}), {os.cpu_count()} cores, {gpu}, torch {torch.__version__}"
    )


def _processor() -> str:
    """Return the processor's name as Linux gives it, or its architecture."""
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:  # only Linux has the file
        found = None
    return found[1] if found else platform.machine()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `SET`, write the results and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--docs", action="store_true", help="also write the table of the docs")
    parser.add_argument("--output", type=Path, default=Path("results"), help="default: results")
    given = parser.parse_args(arguments)
    started = time.monotonic()
    rows = run_set(SET)
    minutes = (time.monotonic() - started) / 60
    date = datetime.now(UTC).date()
    text = f"{describe_machine()}; {date}, {minutes:.0f} minutes.\n\n{markdown(rows)}"
    with atomic_file(given.output / "benchmarks.md") as path:
        path.write_text(text)
    write_json(
        given.output / "benchmarks.json",
        {"machine": describe_machine(), "date": str(date), "rows": [row._asdict() for row in rows]},
    )
    if given.docs:
        DOCS.write_text(TABLE.sub(lambda _: text, DOCS.read_text()))
    print(f"\n{text}")
