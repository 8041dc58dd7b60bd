"""Make files by a real stage that leaves their origins."""

from __future__ import annotations

from pathlib import Path

from pipeline.evaluation.link_run import link_run
from pipeline.launcher import run_stage


def make(source: Path, folder: Path, *others: Path) -> Path:
    """Link `source` into `folder`, and say that it was made of `others` too."""
    made = folder / source.name
    run_stage(link_run, {"files": [source], "folder": folder}, [source, *others], [made])
    return made


def write(path: Path, text: str) -> Path:
    """A new file: what is linked to it elsewhere stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    return path
