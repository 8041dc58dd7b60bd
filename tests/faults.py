"""Disks on which a command fails for real, without harm to the machine."""

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
"""The mount is gone when the shell ends, so that it says itself what lies in the folder then."""


def on_disk(mount: str, folder: Path, command: list[str], cwd: Path) -> tuple[int, str, set[str]]:
    """Run `command` with a FULL or READ_ONLY disk mounted at `folder`, seen by no other process.

    Returns its exit status, what it printed and the names that are in the folder afterwards. Skips
    the test where the machine does not let its users mount.
    """
    shell = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount + _RUN]
    try:
        done = subprocess.run(
            [*shell, str(folder), *command], cwd=cwd, capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare here, which mounts for one process")
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no mounting here: {done.stderr.strip()}")
    return done.returncode, done.stderr, set(done.stdout.split()) - {"filler"}


@contextmanager
def file_limit(limit: int) -> Iterator[None]:
    """Let no file that this process writes grow beyond `limit` bytes: a full disk, everywhere."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def with_file_limit(limit: int, command: list[str], cwd: Path) -> tuple[int, str]:
    """Run `command` in a process of its own under `file_limit`; its exit status and messages."""
    done = subprocess.run(
        command,
        cwd=cwd,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    return done.returncode, done.stderr
