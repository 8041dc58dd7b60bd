from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

import pytest

from pipeline.files import read_json, sha256
from pipeline.options.run import RunOptions
from pipeline.provenance import environment
from pipeline.provenance.environment import commit
from pipeline.training.record import run_facts
from tests.training.runs import Runner, compute_with


def git(folder: Path, *arguments: str) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    command = ["git", *settings, *arguments]
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_no_commit_outside_git(tmp_path: Path) -> None:
    assert commit(tmp_path) == (None, None)


def test_commit_and_whether_files_changed(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-q", "-m", "one")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert commit(tmp_path) == (head, False)
    (tmp_path / "a").write_text("2")
    assert commit(tmp_path) == (head, True)


def test_record_has_the_hash_of_the_ground_truth(shards: Path, bank: Path, tmp_path: Path) -> None:
    ground_truth = tmp_path / "ground_truth.npz"
    ground_truth.write_bytes(b"masks")
    facts = run_facts(shards, bank, RunOptions(), seed=0, ground_truth=ground_truth)
    assert facts["hashes"]["ground_truth"] == sha256(ground_truth)


def test_recorded_commit_is_that_of_the_start(
    run: Runner, long_options: RunOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit made during the training is of code that it does not run."""
    project = tmp_path / "project"
    project.mkdir()
    git(project, "init", "-q")
    git(project, "commit", "-q", "--allow-empty", "-m", "one")
    head = git(project, "rev-parse", "HEAD")
    monkeypatch.setattr(environment, "commit", lambda: commit(project))

    def commit_meanwhile() -> None:
        while not (tmp_path / "run" / "checkpoint.pt").is_file():
            time.sleep(0.001)
        git(project, "commit", "-q", "--allow-empty", "-m", "two")

    thread = threading.Thread(target=commit_meanwhile)
    thread.start()
    folder = run("run", options=long_options, compute=compute_with(checkpoint_steps=1))
    thread.join()
    assert git(project, "rev-parse", "HEAD") != head
    assert read_json(folder / "run.json")["commit"] == head
