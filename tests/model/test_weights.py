"""Writing and reading files of weights."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pipeline.errors import InputError
from pipeline.files import sha256
from pipeline.launcher import run_stage
from pipeline.model.weights import read_weights, save_weights
from tests.faults import file_limit


def test_saved_weights_load_and_have_the_same_bytes(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    for name in "ab":
        save_weights(model, tmp_path / name)
    loaded = load_file(tmp_path / "a")
    assert set(loaded) == set(model.state_dict())
    assert all(torch.equal(loaded[name], value) for name, value in model.state_dict().items())
    assert sha256(tmp_path / "a") == sha256(tmp_path / "b")


def test_full_disk_names_the_file_and_leaves_nothing(tmp_path: Path) -> None:
    """The file size limit of the process is 1 KiB."""

    def save(output: Path) -> None:
        save_weights(nn.Linear(64, 64), output)

    output = tmp_path / "weights.safetensors"
    message = rf"^error: {output}: cannot be written \(File too large\); partial output removed"
    with file_limit(1024), pytest.raises(SystemExit, match=message):
        run_stage(save, {"output": output})
    assert list(tmp_path.iterdir()) == []


STATE = {"cls_token": torch.ones(1, 1, 4), "patch_embed.proj.weight": torch.arange(48.0)}


def prefixed(prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: value for name, value in STATE.items()}


def read(path: Path) -> dict[str, torch.Tensor]:
    return read_weights(path, anchor="patch_embed.proj.weight")


@pytest.mark.parametrize("suffix", ["pth", "old.pth", "safetensors"])
def test_a_truncated_file_is_named(tmp_path: Path, suffix: str) -> None:
    """For any length: torch raises six kinds of errors, one of them as for a full disk."""
    path = tmp_path / f"cut.{suffix}"
    state = {"weight": torch.zeros(1000)}
    if suffix == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=suffix == "pth")
    whole = path.read_bytes()
    for end in range(0, len(whole), 211):
        path.write_bytes(whole[:end])
        with pytest.raises(
            InputError, match=r"cut\..*: cannot be read as weights \(.*get it again"
        ):
            read(path)


@pytest.mark.parametrize(
    "prefix", ["module.", "base.", "teacher.", "backbone.", "module.base.", "model.visual.trunk."]
)
def test_common_prefix_is_removed_and_printed(
    tmp_path: Path, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(prefixed(prefix) | {"classifier.weight": torch.zeros(2)}, tmp_path / "w.pth")
    found = read(tmp_path / "w.pth")
    assert found.keys() == STATE.keys()
    assert torch.equal(found["patch_embed.proj.weight"], torch.arange(48.0))
    assert f"removed the prefix {prefix} from names, ignored 1 names" in capsys.readouterr().out


def test_names_without_a_common_prefix_are_unchanged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(STATE | {"head.weight": torch.zeros(2)}, tmp_path / "w.pth")
    assert read(tmp_path / "w.pth").keys() == {*STATE, "head.weight"}
    both = prefixed("student.") | prefixed("teacher.")
    torch.save(both, tmp_path / "w.pth")
    assert read(tmp_path / "w.pth").keys() == both.keys()  # ambiguous
    assert capsys.readouterr().out == ""


def test_weights_in_a_container_are_found_and_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in checkpoints of DINO."""
    content = {
        "student": prefixed("module.backbone."),
        "teacher": prefixed("backbone.") | {"head.last_layer.weight": torch.zeros(2)},
        "optimizer": {"state": {}, "param_groups": []},
        "epoch": 100,
        "args": argparse.Namespace(arch="vit_small"),
    }
    torch.save(content, tmp_path / "dino.pth")
    assert read(tmp_path / "dino.pth").keys() == STATE.keys()
    assert "dino.pth: weights are read from teacher" in capsys.readouterr().out
    torch.save({"model": {"state_dict": STATE}}, tmp_path / "nested.pth")
    assert read(tmp_path / "nested.pth").keys() == STATE.keys()


def test_file_without_weights_is_refused_with_its_keys(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "net": {}}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="expected a state dict of weights, found epoch, net"):
        read(tmp_path / "w.pth")
