"""The CPU time of Snakemake alone: a dry run of many runs, and a start when all is done.

    python -m benchmarks.plan     # 20 variants, 5 seeds and 3 test sets: 300 runs

Where all is done, the outputs are empty files that `snakemake --touch` has marked as up to date.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rows import Row
from benchmarks.start import children_seconds
from pipeline import ROOT

SEEDS = [0, 1, 2, 3, 4]
TESTS = ("shop", "gate", "yard")
ROUNDS = 3


def snakemake(folder: Path, *words: str) -> tuple[str, float]:
    """Run the workflow in `folder`; returns what it printed, and its CPU seconds."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--directory", str(folder), "--configfile", str(folder / "many.json")]
    before = children_seconds()
    done = subprocess.run([*command, "--cores", "1", *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return done.stdout + done.stderr, children_seconds() - before


def write_outputs(folder: Path, plan: str) -> None:
    """Create every output that `plan`, the printout of a dry run, names."""
    for line in re.findall(r"^    output: (.*)$", plan, re.MULTILINE):
        for name in line.split(", "):
            path = folder / name
            # a file in each folder, for Snakemake compares the times of what is in it
            file = path if path.suffix else path / "file"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Measure, print and return the rows."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.plan", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--variants", type=int, default=20, help="default: 20")
    names = [f"k{number}" for number in range(parser.parse_args(arguments).variants)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tests = [{"dataset": "folder", "name": test, "archive": name} for test in TESTS]
        compared = {variant: {"model": {"k_min": k}} for k, variant in enumerate(names, start=4)}
        values = {"compare": names, "variants": compared, "seeds": SEEDS, "test": tests}
        (folder / "many.json").write_text(json.dumps(values))
        plan, planning = snakemake(folder, "--dry-run")
        write_outputs(folder, plan)
        snakemake(folder, "--touch", "--forceall")
        finished = [snakemake(folder) for _ in range(ROUNDS)]
    for printed, _ in finished:
        if "Nothing to be done" not in printed:
            sys.exit(printed)
    runs = plan.count("\nrule score:")
    rows = [
        Row(f"plan of {runs} runs", planning, "CPU s", "at most 20"),
        Row(f"{runs} runs, nothing to do", min(s for _, s in finished), "CPU s", "at most 3"),
    ]
    for row in rows:
        print(f"{row.work}: {row.measured}")
    return rows


if __name__ == "__main__":
    main()
