"""Hash the results of a workflow without times, so that equal results have equal hashes."""

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


VARYING = ("started", "finished", "seconds", "resumed", "peak_memory_mib", "energy_joules")
WITHOUT_TIMES = {
    "/run.json": _json_without(*VARYING, "hashes.history"),
    "/history.csv": _csv_without("seconds", "images_per_second"),
    # hashes of run.json and metrics.json
    "/metrics.json": _json_without("run"),
    "/open_set.json": _json_without("run"),
    "_runs.csv": _csv_without("run", "metrics_sha256"),
    "_runs.html": lambda path: re.sub(r"\b[0-9a-f]{64}\b", "", path.read_text()).encode(),
}
"""Readers of the files with times, by the end of the path."""


def outcome(results: Path) -> dict[str, str]:
    """Return the hash of every result below `results`, by relative path.

    Omits logs, records, lock files, and MLflow's store and receipts, whose run ids are random.
    """
    files = (path for path in results.rglob("*") if path.is_file())
    named = {path.relative_to(results).as_posix(): path for path in files}
    return {name: _hash(path) for name, path in sorted(named.items()) if is_result(name)}


def is_result(name: str) -> bool:
    """Return whether a file below results/ is reproducible."""
    other = name.startswith(("logs/", "mlflow")) or name.endswith("_published.json")
    hidden = Path(name).match(".*.lock") or Path(name).name == ".snakemake_timestamp"
    return not (other or hidden or ".provenance" in Path(name).parts)


def _hash(path: Path) -> str:
    readers = (read for end, read in WITHOUT_TIMES.items() if path.as_posix().endswith(end))
    read = next(readers, None)
    return hashlib.sha256(read(path)).hexdigest() if read else sha256(path)
