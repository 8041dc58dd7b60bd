"""What a workflow has made, as hashes: equal where nothing but the clock may differ."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

from pipeline.files import sha256
from pipeline.tracking.publish import flatten


def _json_without(*keys: str) -> Callable[[Path], bytes]:
    def read(path: Path) -> bytes:
        record = flatten(json.loads(path.read_text()))
        return json.dumps([item for item in record.items() if item[0] not in keys]).encode()

    return read


def _csv_without(*names: str) -> Callable[[Path], bytes]:
    def read(path: Path) -> bytes:
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        return json.dumps([[i for i in row.items() if i[0] not in names] for row in rows]).encode()

    return read


COURSE = ("started", "finished", "seconds", "resumed", "peak_memory_mib")
TIMELESS = {
    # when and for how long the run lasted, in how many pieces, how much memory the last one took
    "/run.json": _json_without(*COURSE, "hashes.history"),
    # how fast an epoch was
    "/history.csv": _csv_without("seconds", "images_per_second"),
    # hashes of these, and of what has them
    "/metrics.json": _json_without("run"),
    "_runs.csv": _csv_without("run", "metrics_sha256"),
    "_runs.html": lambda path: re.sub(r"\b[0-9a-f]{64}\b", "", path.read_text()).encode(),
}
"""How to read the files that the clock has a part in, without that part, by their ending."""


def outcome(results: Path) -> dict[str, str]:
    """The hash of every file that a workflow has made below `results`, by its path.

    Left out are what jobs printed and recorded, the files that are locked while a job works, and
    MLflow's store with its receipts, for the ids of its runs are random.
    """
    files = (path for path in results.rglob("*") if path.is_file())
    named = {path.relative_to(results).as_posix(): path for path in files}
    return {name: _hash(path) for name, path in sorted(named.items()) if is_result(name)}


def is_result(name: str) -> bool:
    """Whether a file below results/ is one that is the same whenever it is made."""
    other = name.startswith(("logs/", "mlflow")) or name.endswith("_published.json")
    hidden = Path(name).match(".*.lock") or Path(name).name == ".snakemake_timestamp"
    return not (other or hidden or ".provenance" in Path(name).parts)


def _hash(path: Path) -> str:
    readers = (read for end, read in TIMELESS.items() if path.as_posix().endswith(end))
    read = next(readers, None)
    return hashlib.sha256(read(path)).hexdigest() if read else sha256(path)
