"""Run code on a full or read-only disk, without affecting other processes."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

FULL = 'mount -t tmpfs -o size=4k none "$0" && head -c 4096 /dev/zero > "$0/filler"'
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"'
_RUN = ' || exit 99; "$@" >&2; code=$?; ls -A "$0"; exit $code'
"""The shell lists the folder itself, because the mount ends with it."""


def on_disk(mount: str, folder: Path, command: list[str], cwd: Path) -> tuple[int, str, set[str]]:
    """Run `command` with a FULL or READ_ONLY disk mounted at `folder`, for this process alone.

    Returns the exit status, the output and the names in the folder afterwards. Skips the test if
    users of the machine cannot mount.
    """
    shell = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount + _RUN]
    try:
        done = subprocess.run(
            [*shell, str(folder), *command], cwd=cwd, capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("no unshare, which mounts for a single process")
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"cannot mount: {done.stderr.strip()}")
    return done.returncode, done.stderr, set(done.stdout.split()) - {"filler"}


def flip_byte(path: Path, position: float = 0.5) -> None:
    """Invert the byte at an index, or at a fraction of the file."""
    data = bytearray(path.read_bytes())
    data[position if isinstance(position, int) else int(position * len(data))] ^= 0xFF
    path.write_bytes(data)


@contextmanager
def file_limit(limit: int) -> Iterator[None]:
    """Limit the files of this process to `limit` bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def with_file_limit(limit: int, command: list[str], cwd: Path) -> tuple[int, str]:
    """Run `command` in a new process under `file_limit`; returns exit status and stderr."""
    done = subprocess.run(
        command,
        cwd=cwd,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    return done.returncode, done.stderr
