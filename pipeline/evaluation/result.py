"""What the files of an evaluated run begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.files import read_json, sha256


def result_header(record: Path, dataset: str) -> dict[str, Any]:
    """Return the test set `dataset`, and training set, variant, seed and hash of a run's record."""
    run = read_json(record)
    return {
        "dataset": dataset,
        "trained_on": run["dataset"],
        "variant": run["variant"],
        "seed": run["seed"],
        "run": sha256(record),
    }
