"""Lines of a long job, kept as they are made: a job that was killed goes on after the last one."""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path

from pipeline.files import atomic_file, naming

_log = logging.getLogger(__name__)


class Journal:
    """A file of the lines so far, below a first line that says which job they belong to.

    It is never mistaken for the result: that appears under its own name, and whole, in `finish`.
    """

    def __init__(self, path: Path, job: str) -> None:
        """Take up the lines of a job with the same fingerprint; `done` is their number.

        A last line that was cut off is thrown away, and so are the lines of any other job.
        """
        self._path = path
        self._header = (json.dumps({"job": job}) + "\n").encode()
        with naming(path):
            self.done = self._take_up()
        self._file = open(path, "ab")  # noqa: SIM115, closed in finish

    def _take_up(self) -> int:
        if not self._path.is_file():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(self._header)
            return 0
        end, done = self._whole_lines()
        if end == 0:
            _log.warning(
                "%s: is of a job with other images, options, weights or code: it starts anew",
                self._path,
            )
            self._path.write_bytes(self._header)
            return 0
        _log.warning("%s: resuming after %d lines", self._path, done)
        os.truncate(self._path, end)
        return done

    def _whole_lines(self) -> tuple[int, int]:
        """Where the last whole line ends, and how many follow the header; 0 for another job's."""
        with open(self._path, "rb") as file:
            if file.readline() != self._header:
                return 0, 0
            end, done = file.tell(), 0
            for line in file:
                if not _is_whole(line):
                    break
                end, done = end + len(line), done + 1
        return end, done

    def add(self, line: str) -> None:
        """Append a line of JSON; it survives the process as soon as this returns."""
        with naming(self._path):
            self._file.write(line.encode())
            self._file.flush()

    def finish(self, result: Path) -> None:
        """Write all the lines to `result` and delete the progress."""
        self._file.close()
        with (
            atomic_file(result) as partial,
            open(self._path, "rb") as source,
            open(partial, "wb") as target,
        ):
            source.readline()
            shutil.copyfileobj(source, target)
        self._path.unlink()


def _is_whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return line.endswith(b"\n")
