"""Files that are whole or absent, and the hashes that tell them apart."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from filelock import FileLock, Timeout

from pipeline import ROOT
from pipeline.errors import InputError

SYSTEM_FILES = frozenset(
    {"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "__macosx", "@eadir"}
)
"""In lower case; hidden files, such as .DS_Store, .picasa.ini and ._1.jpg, are left behind too."""


def shipped(path: str) -> str:
    """Where a file is that the repository ships, workflow/...: here, or else in the repository.

    Ask where a file is opened; records keep the path as it was given.
    """
    beside = ROOT / path
    if path.startswith("workflow/") and not os.path.exists(path) and beside.exists():
        return str(beside)
    return path


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; a process reads an unchanged file once."""
    now = os.stat(path)
    return _sha256(path.absolute(), now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)


@cache
def _sha256(path: Path, *state: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each file by its name in the folder, sorted by the parts of the name.

    The files that systems leave behind do not count: `unpack` skips them.
    """
    names = {path: path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*"))}
    return {
        name: sha256(path)
        for path, name in names.items()
        if path.is_file() and not is_left_behind(name)
    }


def is_left_behind(name: str) -> bool:
    """Whether a system made the file or a folder above it for itself."""
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") or part.lower() in SYSTEM_FILES for part in parts)


WRITE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Numbers of errors that only a write can meet: disk full, quota used up, file too large."""


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let a failed write say which file it wrote to: the system's error alone does not."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in WRITE_ERRORS:
            error.filename = str(path)
        raise


def _partial_name(path: Path) -> Path:
    """A name beside `path` that no other process writes to; the suffix stays, for some look at it.

    What processes left there that were killed in the middle of the same file is deleted.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for stale in path.parent.glob(f".partial-*-{glob.escape(path.name)}*"):
        owner = stale.name.split("-")[1]
        if owner.isdigit() and not _is_running(int(owner)):
            _delete(stale)
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    _delete(partial)  # of a process that had this one's number
    return partial


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # of another user
    return True


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """One process at a time works on `path`; others wait, and say so.

    A process that is killed gives its place up: the lock is the kernel's, its file only a handle.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"{path}: another process works on it: waiting until it ends", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A name to write to beside `path`; it takes the place of `path` when the block ends well.

    On any error (a full disk too) `path` is as it was before and the partial file is gone.
    """
    partial = _partial_name(path)
    try:
        with naming(path):
            yield partial
            with open(partial, "rb") as file:
                os.fsync(file.fileno())
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A new folder beside `path`; it takes the place of `path` when the block ends well."""
    partial = _partial_name(path)
    partial.mkdir()
    try:
        with naming(path):
            yield partial
            if path.exists():
                shutil.rmtree(path)
            os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON with sorted keys: the same value gives the same bytes."""
    with atomic_file(path) as partial:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
        partial.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """The value in a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def checked_folder(folder: Path, *names: str) -> None:
    """Raise InputError unless `folder` holds the files `names`."""
    for name in names:
        if not (folder / name).is_file():
            raise InputError(
                f"{folder / name}: no such file: run the stage that writes it, or give its folder"
            )
