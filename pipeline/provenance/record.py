"""Write a record beside each result: stage, inputs, options, time and environment of its job.

The record of `figures/bank.png` is `figures/.provenance/bank.png.json`. Results are identical to
the byte, but records contain times, so no result may depend on a record.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pipeline.errors import InputError, some
from pipeline.files import folder_hashes, read_json, sha256, write_json
from pipeline.provenance.code import code_hash
from pipeline.provenance.environment import current_environment

FOLDER = ".provenance"
SEAL = "seal"
"""Key of the record's own hash."""

JobRecord = dict[str, Any]
Contents = str | dict[str, str]
"""SHA-256 of a file, or of each file in a folder by relative path."""


def contents(path: Path) -> Contents:
    """Hash a file, or each file of a folder."""
    return folder_hashes(path) if path.is_dir() else sha256(path)


def digest(found: Contents) -> str:
    """Return a single hash for a file or a folder."""
    return found if isinstance(found, str) else _json_hash(found)


def _json_hash(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def record_path(path: Path) -> Path:
    """Return the path of the record of a file or folder."""
    return path.parent / FOLDER / f"{path.name}.json"


def read_record(path: Path) -> JobRecord:
    """Read the record of `path`; InputError if it is damaged or was changed.

    Keys: `name` (of the file or folder), `stage`, `code` (hash), `arguments` (all options),
    `contents`, `inputs` (hashes by path, files of the workflow), `sources` (contents by path, other
    files), `facts` (from the stage, such as the device), `started` and `finished` (ISO 8601, UTC),
    `seconds`, and the environment (versions, platform, GPU, commit, dirty).
    """
    file = record_path(path)
    try:
        record = read_json(file)
        seal, name = record.pop(SEAL), record["name"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{file}: expected the record of {path}, found {error!r}: make {path.name} again"
        ) from None
    if _json_hash(record) != seal:
        raise InputError(f"{file}: found another hash than {SEAL}: make {path.name} again")
    if name != path.name:
        raise InputError(
            f"{file}: found the record of {name}, expected that of {path.name}: make {path.name} "
            "again"
        )
    return dict(record)


@contextmanager
def recorded(
    stage: Callable[..., Any],
    arguments: Mapping[str, Any],
    inputs: Sequence[Path],
    outputs: Sequence[Path],
) -> Iterator[dict[str, Any]]:
    """Write a record beside each of `outputs` if the block succeeds.

    The block fills the yielded mapping with facts; its `sources` are the contents, by path, of
    folders of which the block has read only some files. Raises InputError before the block if a
    path of `inputs` differs from its own record.
    """
    facts: dict[str, Any] = {}
    if not outputs:
        yield facts
        return
    module = stage.__module__
    results = [path for path in inputs if record_path(path).is_file()]
    sources = [path for path in inputs if path not in results]
    job: JobRecord = {
        "stage": module,
        "code": code_hash(module),
        "arguments": {name: _to_json(value) for name, value in arguments.items()},
        "inputs": {str(path): digest(_verified(path)) for path in results},
        "started": _now(),
        **current_environment(),
    }
    # hash before the job: a source may change or disappear during a long training
    files = {str(path): contents(path) for path in sources if path.is_file()}
    start = time.perf_counter()
    yield facts
    job |= {"finished": _now(), "seconds": round(time.perf_counter() - start, 3)}
    known = files | facts.pop("sources", {})
    job |= {"sources": {str(path): known.get(str(path)) or contents(path) for path in sources}}
    job |= {"facts": facts}
    for path in outputs:
        record = job | {"name": path.name, "contents": contents(path)}
        write_json(record_path(path), record | {SEAL: _json_hash(record)})


def _to_json(value: Any) -> Any:
    """Convert an argument to JSON values."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    return value if isinstance(value, str | int | float | None) else str(value)


def _verified(path: Path) -> Contents:
    """Return the contents of a result; InputError if they differ from its record."""
    found, expected = contents(path), read_record(path)["contents"]
    if found == expected:
        return found
    changed = [str(path / name) for name in changed_files(found, expected)] or [str(path)]
    raise InputError(
        f"{some(changed)}: changed since it was made, by the hash in {record_path(path)}: restore "
        f"it, or delete {path} and make it again"
    )


def changed_files(found: Contents, expected: Contents) -> list[str]:
    """Return the sorted names of changed files in a folder; empty if either is a file."""
    if isinstance(found, str) or isinstance(expected, str):
        return []
    names = sorted(found.keys() | expected.keys())
    return [name for name in names if found.get(name) != expected.get(name)]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
