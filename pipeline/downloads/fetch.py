"""Stage: fetch one file, check its hash, and only then give it its name."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from pipeline.downloads.transfer import download
from pipeline.errors import InputError, warn
from pipeline.options.downloads import FetchOptions


def fetch(file: Path, options: FetchOptions) -> None:
    """Bring the file at `options.url` to `file`.

    Until it is whole and checked its bytes lie beside it, in `.partial-<name>`. Where a hash is
    known, the next call resumes from there; another hash is an InputError, and the bytes are
    deleted. Where none is known, a warning says what was found. Raises InputError too where
    `download` does.
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
            f"was kept: give another address as downloads.{name}.url, or the path of a copy"
        )
    warn(
        f"{name}: no hash is known, found {algorithm} {found}; going on: set "
        f"downloads.{name}.sha256 to have it checked"
    )
