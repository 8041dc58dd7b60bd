"""A record beside each result: which job made it, of which inputs, with which options, and when.

The record of `figures/bank.png` is `figures/.provenance/bank.png.json`. It holds times, so that no
result may have it among its inputs: results are the same to the byte, records are not.
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
"""The key of a record's own hash."""

JobRecord = dict[str, Any]
Contents = str | dict[str, str]
"""SHA-256 of a file, or of each file in a folder by its name there."""


def contents(path: Path) -> Contents:
    """What is there now."""
    return folder_hashes(path) if path.is_dir() else sha256(path)


def digest(found: Contents) -> str:
    """One hash for a file or a whole folder."""
    return found if isinstance(found, str) else _json_hash(found)


def _json_hash(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def record_path(path: Path) -> Path:
    """Where the record of a file or folder is."""
    return path.parent / FOLDER / f"{path.name}.json"


def read_record(path: Path) -> JobRecord:
    """How `path` was made; InputError for a record that is not as it was written.

    `name` (of the file or folder), `stage`, `code` (its hash), `arguments` (all options, resolved),
    `contents`, `inputs` (hashes by path of what the workflow made before), `sources` (contents by
    path of what it did not make), `facts` (what the stage says of itself, such as its device),
    `started` and `finished` (ISO 8601, UTC), `seconds`, and the environment (versions, platform,
    GPU, commit, dirty).
    """
    file = record_path(path)
    try:
        record = read_json(file)
        seal, name = record.pop(SEAL), record["name"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file}: expected the record of how {path} was made: {error!r}") from None
    if _json_hash(record) != seal:
        raise InputError(f"{file}: was changed after it was written")
    if name != path.name:
        raise InputError(f"{file}: is the record of how {name} was made, not {path.name}")
    return dict(record)


@contextmanager
def recorded(
    stage: Callable[..., Any],
    arguments: Mapping[str, Any],
    inputs: Sequence[Path],
    outputs: Sequence[Path],
) -> Iterator[dict[str, Any]]:
    """Write the record of each file or folder of `outputs` when the block ends well.

    What the block puts into the mapping is recorded as facts; `sources` there are contents of
    folders of which it has not read all, by path. Raises InputError, before the block, for a path
    of `inputs` that is no longer what its own record says.
    """
    facts: dict[str, Any] = {}
    if not outputs:
        yield facts
        return
    module = stage.__module__
    made = [path for path in inputs if record_path(path).is_file()]
    others = [path for path in inputs if path not in made]
    job: JobRecord = {
        "stage": module,
        "code": code_hash(module),
        "arguments": {name: _plain(value) for name, value in arguments.items()},
        "inputs": {str(path): digest(_checked(path)) for path in made},
        "started": _now(),
        **current_environment(),
    }
    # before the job: a file may be gone, or be another one, when a training of days has ended
    files = {str(path): contents(path) for path in others if path.is_file()}
    clock = time.perf_counter()
    yield facts
    job |= {"finished": _now(), "seconds": round(time.perf_counter() - clock, 3)}
    read = files | facts.pop("sources", {})
    job |= {"sources": {str(path): read.get(str(path)) or contents(path) for path in others}}
    job |= {"facts": facts}
    for path in outputs:
        record = job | {"name": path.name, "contents": contents(path)}
        write_json(record_path(path), record | {SEAL: _json_hash(record)})


def _plain(value: Any) -> Any:
    """An argument as JSON has it."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | None) else str(value)


def _checked(path: Path) -> Contents:
    """What is there, if it is what was made."""
    found, expected = contents(path), read_record(path)["contents"]
    if found == expected:
        return found
    changed = [str(path / name) for name in differing(found, expected)] or [str(path)]
    raise InputError(
        f"{some(changed)}: not as it was made, by the hash in {record_path(path)}: put it back, or "
        f"delete {path} and let the workflow make it again"
    )


def differing(found: Contents, expected: Contents) -> list[str]:
    """Names in a folder that are not as expected, sorted; none where either is a file."""
    if isinstance(found, str) or isinstance(expected, str):
        return []
    names = sorted(found.keys() | expected.keys())
    return [name for name in names if found.get(name) != expected.get(name)]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
