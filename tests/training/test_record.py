from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from pipeline.data.shards import HASHES, write_index
from pipeline.environment import commit
from pipeline.files import read_json, sha256
from pipeline.options.run import RunOptions
from pipeline.provenance import ROOT
from pipeline.training.record import run_facts
from tests.training.runs import command, computed, started, wait_for


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


def test_the_hashes_reach_down_to_the_archive_and_the_masks(tmp_path: Path) -> None:
    shards, bank = tmp_path / "shards", tmp_path / "bank"
    for folder, made_of in (
        (shards, {"archive": "a", "ingest": "i", "manifest": "m", "code": "c"}),
        (bank, {"checkpoint": None, "masks": "k", "segmentation": "s", "options": {}}),
    ):
        folder.mkdir()
        write_index(folder, [], made_of)
    hashes = run_facts(shards, bank, RunOptions(), seed=0)["hashes"]
    assert hashes == {
        "shards": sha256(shards / HASHES),
        "archive": "a",
        "manifest": "m",
        "bank": sha256(bank / HASHES),
        "checkpoint": None,
        "masks": "k",
        "pretrained": None,
        "truth": None,
    }
    truth = tmp_path / "truth.npz"
    truth.write_bytes(b"masks")
    facts = run_facts(shards, bank, RunOptions(), seed=0, truth=truth)
    assert facts["hashes"] == hashes | {"truth": sha256(truth)}
    assert "masks" not in run_facts(shards, None, RunOptions(), seed=0)["hashes"]


def test_the_commit_is_that_of_the_start(
    shards: Path, bank: Path, longer: RunOptions, tmp_path: Path
) -> None:
    """Who goes on to work while it trains commits code that it does not run."""
    project, folder = tmp_path / "project", tmp_path / "run"
    shutil.copytree(ROOT / "pipeline", project / "pipeline")
    shutil.copytree(ROOT / "envs", project / "envs")
    git(project, "init", "-q")
    git(project, "commit", "-q", "--allow-empty", "-m", "one")
    head = git(project, "rev-parse", "HEAD")
    words = command(folder, shards, bank, longer, computed(checkpoint_steps=1))
    with started(words, cwd=project, env=os.environ | {"PYTHONPATH": str(project)}) as child:
        wait_for(folder / "state.pt", child)
        child.send_signal(signal.SIGSTOP)
        git(project, "commit", "-q", "--allow-empty", "-m", "two")
        child.send_signal(signal.SIGCONT)
        assert child.wait(60) == 0
    assert read_json(folder / "run.json")["commit"] == head
