"""The CPU time of a dry run of many runs.

python -m benchmarks.plan     # 20 variants, 5 seeds and 3 test sets: 300 runs
"""

from __future__ import annotations

import argparse
import json
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


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Measure, print and return the row."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.plan", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--variants", type=int, default=20, help="default: 20")
    names = [f"k{number}" for number in range(parser.parse_args(arguments).variants)]
    with tempfile.TemporaryDirectory() as name:
        tests = [{"dataset": "folder", "name": test, "archive": name} for test in TESTS]
        compared = {variant: {"model": {"k_min": k}} for k, variant in enumerate(names, start=4)}
        values = {"compare": names, "variants": compared, "seeds": SEEDS, "test": tests}
        file = Path(name, "many.json")
        file.write_text(json.dumps(values))
        words = ["-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", name]
        words += ["--configfile", str(file), "--cores", "1", "--dry-run"]
        before = children_seconds()
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
        spent = children_seconds() - before
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    runs = done.stdout.count("\nrule score:")
    row = Row(f"plan of {runs} runs", spent, "CPU s", "at most 20")
    print(f"{row.work}: {row.measured}")
    return [row]


if __name__ == "__main__":
    main()
