"""Weights are written whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from pipeline.files import sha256
from pipeline.model.weights import save_weights

FULL = """
import resource
from pathlib import Path
from torch import nn
from pipeline.cli import run_stage
from pipeline.model.weights import save_weights

def save(output: Path):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
    save_weights(nn.Linear(64, 64), output)

run_stage(save)
"""


def test_weights_come_back_and_have_the_same_bytes(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    for name in "ab":
        save_weights(model, tmp_path / name)
    loaded = load_file(tmp_path / "a")
    assert set(loaded) == set(model.state_dict())
    assert all(torch.equal(loaded[name], value) for name, value in model.state_dict().items())
    assert sha256(tmp_path / "a") == sha256(tmp_path / "b")


def test_a_full_disk_names_the_file_and_leaves_nothing(tmp_path: Path) -> None:
    """A real fault: the process may write no file of more than 1 KiB."""
    output = tmp_path / "weights.safetensors"
    words = [sys.executable, "-c", FULL, "--output", str(output)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"({output}): nothing half-written was kept" in done.stderr
    assert list(tmp_path.iterdir()) == []
