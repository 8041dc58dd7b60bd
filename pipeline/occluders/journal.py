"""The lines of a long job, saved one by one: a killed job resumes after the last one."""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path

from pipeline.files import atomic_file, naming

_log = logging.getLogger(__name__)


class Journal:
    """A file of the lines so far, after a header with the fingerprint of the job.

    `finish` writes the result under its own name, atomically.
    """

    def __init__(self, path: Path, job: str) -> None:
        """Resume after the lines of a job with the same fingerprint; `done` is their number.

        An incomplete last line and the lines of another job are deleted.
        """
        self._path = path
        self._header = (json.dumps({"job": job}) + "\n").encode()
        with naming(path):
            self.done = self._resume()
        self._file = open(path, "ab")  # noqa: SIM115, closed in finish

    def _resume(self) -> int:
        if not self._path.is_file():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(self._header)
            return 0
        end, done = self._complete_lines()
        if end == 0:
            _log.warning(
                "%s: ignored: of another job (other images, options, weights or code)", self._path
            )
            self._path.write_bytes(self._header)
            return 0
        _log.warning("%s: resuming after %d lines", self._path, done)
        os.truncate(self._path, end)
        return done

    def _complete_lines(self) -> tuple[int, int]:
        """Return the end of the last complete line, and their number; 0, 0 for another job."""
        with open(self._path, "rb") as file:
            if file.readline() != self._header:
                return 0, 0
            end, done = file.tell(), 0
            for line in file:
                if not _is_complete(line):
                    break
                end, done = end + len(line), done + 1
        return end, done

    def add(self, line: str) -> None:
        """Append a line of JSON, and flush it, so that it survives a kill."""
        with naming(self._path):
            self._file.write(line.encode())
            self._file.flush()

    def finish(self, result: Path) -> None:
        """Write all lines to `result` and delete the journal."""
        self._file.close()
        with (
            atomic_file(result) as partial,
            open(self._path, "rb") as source,
            open(partial, "wb") as target,
        ):
            source.readline()
            shutil.copyfileobj(source, target)
        self._path.unlink()


def _is_complete(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return line.endswith(b"\n")
