"""Make files by a real stage, which writes their records."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline.launcher import run_stage


def copy_files(files: list[Path], folder: Path) -> None:
    """Stage: copy `files` to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file.name).unlink(missing_ok=True)
        shutil.copyfile(file, folder / file.name)


def make(source: Path, folder: Path, *others: Path) -> Path:
    """Copy `source` to `folder` by a job with `others` as further inputs."""
    made = folder / source.name
    run_stage(copy_files, {"files": [source], "folder": folder}, [source, *others], [made])
    return made


def write(path: Path, text: str) -> Path:
    """Write a new file; hard links to the old one keep their content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    return path
