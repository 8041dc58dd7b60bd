"""Make files by a real stage that leaves their origins."""

from __future__ import annotations

from pathlib import Path

from pipeline.cli import run_stage
from pipeline.evaluation.link_run import link_run


def make(source: Path, folder: Path, *others: Path) -> Path:
    """Link `source` into `folder`, and say that it was made of `others` too."""
    made = folder / source.name
    arguments = ["--files", source, "--folder", folder, "--made-of", source, *others]
    run_stage(link_run, [str(part) for part in [*arguments, "--makes", made]])
    return made


def write(path: Path, text: str) -> Path:
    """A new file: what is linked to it elsewhere stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    return path
