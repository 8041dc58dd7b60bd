"""Write files atomically, hash them and lock them."""

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
"""Files that operating systems create, in lower case, besides hidden ones such as .DS_Store."""


def shipped(path: str) -> str:
    """Resolve a path of a shipped file, workflow/...: as it is, or else in the repository.

    Call it where a file is opened; records keep the path of the configuration.
    """
    in_repository = ROOT / path
    if path.startswith("workflow/") and not os.path.exists(path) and in_repository.exists():
        return str(in_repository)
    return path


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; cached while the file is unchanged."""
    stat = os.stat(path)
    return _sha256(path.absolute(), stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@cache
def _sha256(path: Path, *stat: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file by its relative path, sorted by the parts of the path.

    Ignores files that operating systems create, as `unpack` does.
    """
    names = {path: path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*"))}
    return {
        name: sha256(path)
        for path, name in names.items()
        if path.is_file() and not is_left_behind(name)
    }


def is_left_behind(name: str) -> bool:
    """Return whether an operating system created the file or one of its folders."""
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") or part.lower() in SYSTEM_FILES for part in parts)


WRITE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Error numbers that only writes raise: disk full, quota exceeded, file too large."""


def explain_os_error(error: OSError) -> str:
    """Return the message for a file that cannot be opened, read or written."""
    if error.errno in WRITE_ERRORS:
        return (
            f"{error.filename}: cannot be written ({error.strerror}); partial output removed: "
            "free disk space and run it again"
        )
    return f"{error.filename}: {error.strerror}: check the path and its permissions"


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add the file's name to the system's error if a write fails."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in WRITE_ERRORS:
            error.filename = str(path)
        raise


def _partial_path(path: Path) -> Path:
    """Return a path beside `path` for this process alone, with the same suffix.

    Deletes the partial output of processes that were killed while writing `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for stale in path.parent.glob(f".partial-*-{glob.escape(path.name)}*"):
        owner = stale.name.split("-")[1]
        if owner.isdigit() and not _is_running(int(owner)):
            _delete(stale)
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    _delete(partial)  # left by an earlier process with the same id
    return partial


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # a process of another user
    return True


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Lock `path` for one process at a time; others print a message and wait.

    The kernel releases the lock of a killed process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"{path}: locked by another process: waiting until it ends", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to, which replaces `path` if the block succeeds.

    On any error, such as a full disk, `path` is unchanged and the partial file is removed.
    """
    partial = _partial_path(path)
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
    """Yield a new folder, which replaces `path` if the block succeeds; removed on any error."""
    partial = _partial_path(path)
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
    """Write JSON with sorted keys: the same value gives the same bytes."""
    with atomic_file(path) as partial:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
        partial.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Return the value in a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def checked_folder(folder: Path, *names: str) -> None:
    """Raise InputError if one of the files `names` is missing in `folder`."""
    for name in names:
        if not (folder / name).is_file():
            raise InputError(
                f"{folder / name}: no such file: run the stage that writes it, or correct the path"
            )
