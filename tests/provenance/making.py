"""Make files by a real stage, which writes their record."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline.launcher import run_stage
from pipeline.provenance.record import JobRecord, Records


def copy_files(files: list[Path], folder: Path) -> None:
    """Stage: copy `files` to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file.name).unlink(missing_ok=True)
        shutil.copyfile(file, folder / file.name)


def make_all(sources: list[Path], folder: Path, *others: Path) -> list[Path]:
    """Copy `sources` to `folder` by one job with `others` as further inputs."""
    made = [folder / source.name for source in sources]
    run_stage(copy_files, {"files": sources, "folder": folder}, [*sources, *others], made)
    return made


def make(source: Path, folder: Path, *others: Path) -> Path:
    """Copy `source` to `folder` by a job with `others` as further inputs."""
    return make_all([source], folder, *others)[0]


def record_of(path: Path) -> JobRecord:
    """Return the record that lists `path`."""
    record = Records().find(path)
    assert record is not None, f"no record lists {path}"
    return record


def write(path: Path, text: str) -> Path:
    """Write a new file; hard links to the old one keep their content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    return path
