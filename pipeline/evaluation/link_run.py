"""Stage: let a run that was trained on one dataset be tested on another."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline.files import atomic_file


def link_run(files: list[Path], folder: Path) -> None:
    """Copy the `files` of a run into `folder`; a file of the same name there is replaced.

    Hard links would share their times with the originals, which Snakemake touches: a job would
    seem older than its own input.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        with atomic_file(folder / file.name) as partial:
            shutil.copyfile(file, partial)
