from __future__ import annotations

import subprocess
from pathlib import Path

from pipeline.training.record import commit, versions


def git(folder: Path, *arguments: str) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    command = ["git", *settings, *arguments]
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_outside_of_git_there_is_no_commit(tmp_path: Path) -> None:
    assert commit(tmp_path) == (None, None)


def test_commit_and_changes(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-q", "-m", "one")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert commit(tmp_path) == (head, False)
    (tmp_path / "a").write_text("2")
    assert commit(tmp_path) == (head, True)


def test_versions_are_those_installed() -> None:
    import numpy

    found = versions()
    assert set(found) == {"torch", "timm", "numpy", "pillow", "webdataset"}
    assert found["numpy"] == numpy.__version__
