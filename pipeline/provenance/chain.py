"""Follow the records of a result back to the sources, the files that the workflow did not make."""

from __future__ import annotations

from pathlib import Path

from pipeline.files import sha256
from pipeline.provenance.code import code_hash
from pipeline.provenance.links import BROKEN, CHANGED, GONE, MISSING, OK, Link, compare
from pipeline.provenance.record import (
    Contents,
    DamagedRecordError,
    JobRecord,
    Records,
    contents,
    digest,
)


class Chain:
    """Follows records and compares hashes; reads each record and file once."""

    def __init__(self) -> None:
        self._records = Records()
        self._links: dict[Path, Link] = {}
        self._hashes: dict[Path, str] = {}

    def follow(self, path: Path) -> Link:
        """Compare a result with its record, and likewise all inputs.

        If the record is missing or damaged, the returned link is the record.
        """
        if path not in self._links:
            # sentinel: hit only if records form a cycle
            self._links[path] = Link(BROKEN, str(path), note="an input of itself")
            self._links[path] = self._follow(path)
        return self._links[path]

    def _follow(self, path: Path) -> Link:
        try:
            record = self._records.find(path)
        except DamagedRecordError as error:
            return Link(BROKEN, str(error.file), note=str(error))
        if record is None:
            return Link(MISSING, f"record of {path}")
        expected = record["outputs"][path.name]
        inputs = [self._input(Path(name), used) for name, used in record["inputs"].items()]
        sources = [self._source(Path(name), used) for name, used in record["sources"].items()]
        note = _note(record)
        if not path.exists():
            return Link(MISSING, str(path), digest(expected), note, (*inputs, *sources))
        link = compare(path, contents(path), expected)
        note = f"{link.note}; {note}" if link.note else note
        return link._replace(note=note, inputs=(*link.inputs, *inputs, *sources))

    def _input(self, path: Path, used: str) -> Link:
        """Follow an input and compare it with the hash of the job that used it."""
        link = self.follow(path)
        if link.state == OK and link.sha256 != used:
            return link._replace(state=CHANGED, sha256=used, note="replaced since it was used")
        return link

    def _source(self, path: Path, used: Contents) -> Link:
        """Compare a source, which may be gone; of a folder, only the files that were used."""
        if not path.exists():
            return Link(GONE, str(path), digest(used))
        if isinstance(used, str):
            return compare(path, self._hash(path) if path.is_file() else contents(path), used)
        files = {name: path / name for name in used}
        found = {name: self._hash(file) for name, file in files.items() if file.is_file()}
        return compare(path, found, used)

    def _hash(self, file: Path) -> str:
        if file not in self._hashes:
            self._hashes[file] = sha256(file)
        return self._hashes[file]


def _code(stage: str) -> str | None:
    """Return the hash of a stage's code; None if the stage no longer exists."""
    try:
        return code_hash(stage)
    except ModuleNotFoundError:
        return None


def _note(record: JobRecord) -> str:
    """Describe a job: stage, facts, time, commit and whether its code is the current one."""
    stage = record["stage"]
    same = "this code" if record["code"] == _code(stage) else f"other code, {record['code']}"
    commit = record["commit"] or "outside of git"
    changes = " with changes" if record["dirty"] else ""
    facts = [f"{name} {value}" for name, value in record["facts"].items()]
    times = f"{record['started']} to {record['finished']}, {record['seconds']} s"
    return ", ".join([stage, *facts, times, f"{commit}{changes}", f"by {same}"])
