"""Write one record a job: outputs, inputs, options, time and environment.

It lies beside the outputs and has the name of the first one: that of `tables/one.csv` and
`tables/one.md` is `tables/.provenance/one.csv.json`. Results are identical to the byte, but records
contain times, so no result may depend on a record.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pipeline.errors import InputError, some
from pipeline.files import folder_hashes, read_json, sha256, write_json
from pipeline.provenance.code import code_hash
from pipeline.provenance.environment import current_environment
from pipeline.storage import plain_names

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


def record_path(outputs: Sequence[Path]) -> Path:
    """Return the path of the record of a job; ValueError if its outputs lie in several folders."""
    first, *others = outputs
    if any(path.parent != first.parent for path in others):
        raise ValueError(f"{some(outputs)}: expected all outputs of a job in one folder")
    return first.parent / FOLDER / f"{first.name}.json"


class DamagedRecordError(InputError):
    """A record that is unreadable or was changed."""

    def __init__(self, file: Path, found: str) -> None:
        super().__init__(
            f"{file}: expected the record of a job, found {found}: make {file.stem} again"
        )
        self.file = file


def read_record(file: Path) -> JobRecord:
    """Read a record; DamagedRecordError if it is not as its job wrote it.

    Keys: `outputs` (contents by name), `stage`, `code` (hash), `arguments` (all options), `inputs`
    (hashes by path, files of the workflow), `sources` (contents by path, other files), `facts`
    (from the stage, such as the device), `started` and `finished` (ISO 8601, UTC), `seconds`, and
    the environment (versions, platform, GPU, commit, dirty).
    """
    try:
        record = read_json(file)
        seal, outputs = record.pop(SEAL), record["outputs"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedRecordError(file, repr(error)) from None
    if _json_hash(record) != seal:
        raise DamagedRecordError(file, f"another hash than {SEAL}")
    if file.stem not in outputs:
        raise DamagedRecordError(file, f"that of {some(sorted(outputs))}")
    return dict(record)


class Records:
    """Finds the record of each result; reads the records of a folder once."""

    def __init__(self) -> None:
        self._read_folder = cache(_read_folder)

    def find(self, path: Path) -> JobRecord | None:
        """Return the record that lists `path`; None if no record in its folder does.

        Raises DamagedRecordError if no record lists it and one is damaged.
        """
        records, damaged = self._read_folder(path.parent)
        if damaged and path.name not in records:
            raise damaged[0]
        return records.get(path.name)


def _read_folder(folder: Path) -> tuple[dict[str, JobRecord], list[DamagedRecordError]]:
    """Return the newest record of each result in a folder by name, and the damaged ones."""
    records, damaged = list[JobRecord](), list[DamagedRecordError]()
    for file in sorted((folder / FOLDER).glob("[!.]*.json")):  # without partial files
        try:
            records.append(read_record(file))
        except DamagedRecordError as error:
            damaged.append(error)
    # a job of older code may have made the same file with others
    records.sort(key=itemgetter("finished"))
    return {name: record for record in records for name in record["outputs"]}, damaged


@contextmanager
def recorded(
    stage: Callable[..., Any],
    arguments: Mapping[str, Any],
    inputs: Sequence[Path],
    outputs: Sequence[Path],
) -> Iterator[dict[str, Any]]:
    """Write the record of `outputs`, all in one folder, if the block succeeds.

    The block fills the yielded mapping with facts; its `sources` are the contents, by path, of
    folders of which the block has read only some files. Raises InputError before the block if a
    path of `inputs` differs from its own record.
    """
    facts: dict[str, Any] = {}
    if not outputs:
        yield facts
        return
    target, module, used = record_path(outputs), stage.__module__, _verify(inputs)
    sources = [path for path in inputs if str(path) not in used]
    job: JobRecord = {
        "stage": module,
        "code": code_hash(module),
        "arguments": {name: _to_json(value) for name, value in arguments.items()},
        "inputs": used,
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
    job |= {"facts": facts, "outputs": {path.name: contents(path) for path in outputs}}
    job = plain_names(job)
    write_json(target, job | {SEAL: _json_hash(job)})


def _to_json(value: Any) -> Any:
    """Convert an argument to JSON values."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    return value if isinstance(value, str | int | float | None) else str(value)


def _verify(inputs: Sequence[Path]) -> dict[str, str]:
    """Return the hashes of the inputs that have a record; InputError if one differs from it."""
    records = Records()
    found = {path: record for path in inputs if (record := records.find(path))}
    return {str(path): _verified(path, record) for path, record in found.items()}


def _verified(path: Path, record: JobRecord) -> str:
    """Return the hash of a result; InputError if its contents differ from its record."""
    found, expected = contents(path), record["outputs"][path.name]
    if found == expected:
        return digest(found)
    changed = [str(path / name) for name in changed_files(found, expected)] or [str(path)]
    raise InputError(
        f"{some(changed)}: changed since it was made, by the hash in {path.parent / FOLDER}: "
        f"restore it, or delete {path} and make it again"
    )


def changed_files(found: Contents, expected: Contents) -> list[str]:
    """Return the sorted names of changed files in a folder; empty if either is a file."""
    if isinstance(found, str) or isinstance(expected, str):
        return []
    names = sorted(found.keys() | expected.keys())
    return [name for name in names if found.get(name) != expected.get(name)]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
