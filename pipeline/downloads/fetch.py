"""Stage: download a file and verify its hash."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from pipeline.downloads.transfer import download
from pipeline.errors import InputError, warn
from pipeline.options.downloads import FetchOptions


def fetch(file: Path, options: FetchOptions) -> None:
    """Download `options.url` to `file`.

    The download is in `.partial-<name>` until it is verified; the next call resumes it if the hash
    is known. Raises InputError for another hash, and deletes the download; without a known hash
    prints a warning with the hash found. Raises InputError as `download` does.
    """
    partial = file.with_name(f".partial-{file.name}")
    partial.parent.mkdir(parents=True, exist_ok=True)
    print(f"{file}: fetched from {options.url}" + (f" ({options.terms})" if options.terms else ""))
    download(options.url, partial, resume=options.digest is not None)
    try:
        _check(partial, file.name, options)
    except InputError:
        partial.unlink()
        raise
    os.replace(partial, file)
    print(f"{file}: {file.stat().st_size} bytes")


def _check(partial: Path, name: str, options: FetchOptions) -> None:
    algorithm, _, expected = (options.digest or "sha256:").partition(":")
    with open(partial, "rb") as opened:
        found = hashlib.file_digest(opened, algorithm).hexdigest()
    if options.digest and found.startswith(expected):
        return
    if options.digest:
        raise InputError(
            f"{options.url}: expected {name} with {algorithm} {expected}, found {found}; nothing "
            f"was kept: give another URL as downloads.{name}.url, or the path of a copy"
        )
    warn(
        f"{name}: no hash is known, found {algorithm} {found}; not verified: set "
        f"downloads.{name}.sha256 to verify it"
    )
