"""A trained network is loaded from its run or from its weights alone; others are refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pipeline import load
from pipeline.errors import InputError
from pipeline.model.build import build_model, describe
from pipeline.model.weights import DESCRIPTION, save_weights
from pipeline.options.run import RunOptions
from pipeline.use.embedder import Embedder
from tests.tiny import tiny_backbone
from tests.use.conftest import NAMES


def description(weights: Path) -> dict[str, Any]:
    with safe_open(weights, framework="pt") as file:
        return json.loads(file.metadata()[DESCRIPTION])


def write_described(weights: Path, described: Any) -> None:
    """Replace the description in a file of weights."""
    save_file(load_file(weights), weights, {DESCRIPTION: json.dumps(described)})


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, pipeline, pipeline.commands; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_weights_alone_are_enough(trained: Path, pictures: Path, model: Embedder) -> None:
    """Without their classifiers too."""
    weights = pictures / "alone.safetensors"
    state = load_file(trained / "weights.safetensors")
    needed = {name: value for name, value in state.items() if "classifier" not in name}
    assert len(needed) < len(state)
    described = description(trained / "weights.safetensors")
    save_file(needed, weights, {DESCRIPTION: json.dumps(described)})
    expected = model.embed(pictures)
    np.testing.assert_array_equal(load(weights, "cpu").embed(pictures), expected)
    assert expected.shape == (len(NAMES), 4 * 32)


def test_description_holds_no_path(tmp_path: Path) -> None:
    backbone = tiny_backbone(weights="/home/me/vit.safetensors", sha256="0" * 64)
    text = describe(RunOptions(backbone=backbone), cameras=[1, 2])
    assert "/home" not in text
    assert json.loads(text)["cameras"] == [1, 2]


def test_loaded_network_has_no_classifier(model: Embedder) -> None:
    assert [name for name, _ in model.network.named_modules() if "classifier" in name] == []


@pytest.mark.parametrize("missing", ["run.json", "weights.safetensors"])
def test_unfinished_run_is_refused(run: Path, missing: str) -> None:
    (run / missing).unlink()
    with pytest.raises(InputError, match=rf"{missing}: no such file, expected a finished run"):
        load(run)


def test_changed_weights_are_refused(run: Path) -> None:
    content = bytearray((run / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (run / "weights.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=r"weights\.safetensors: expected SHA-256 .*run\.json"):
        load(run)


def test_damaged_record_is_refused(run: Path) -> None:
    (run / "run.json").write_text("{}")
    with pytest.raises(InputError, match=r"run\.json: expected the record of a run, found KeyErr"):
        load(run)


def test_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing: no such run or file"):
        load(tmp_path / "nothing")


def test_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"w\.pth: cannot be read as safetensors"):
        load(tmp_path / "w.pth")


def test_weights_without_description_are_refused(run: Path) -> None:
    weights = run / "weights.safetensors"
    save_file(load_file(weights), weights)
    with pytest.raises(InputError, match="expected weights with the metadata 'dpeformer', found"):
        load(weights)


def test_other_version_is_refused(run: Path) -> None:
    weights = run / "weights.safetensors"
    write_described(weights, description(weights) | {"version": 2})
    with pytest.raises(InputError, match="network, version 1, found version 2: use it with"):
        load(weights)


def test_unknown_option_is_refused_by_name(run: Path) -> None:
    weights = run / "weights.safetensors"
    described = description(weights)
    described["options"]["model"]["new"] = 1
    write_described(weights, described)
    with pytest.raises(InputError, match=r"found other options \(model\.new\)"):
        load(weights)


def test_description_of_another_network_is_refused(run: Path) -> None:
    weights = run / "weights.safetensors"
    described = description(weights)
    described["options"]["backbone"]["embed_dim"] = 48
    write_described(weights, described)
    with pytest.raises(InputError, match="does not fit the network of its own metadata: backbone"):
        load(weights)


def test_network_with_camera_embedding_is_refused(tmp_path: Path) -> None:
    options = RunOptions(backbone=tiny_backbone(camera_embedding=3.0))
    network = build_model(options, 2, pretrained=False, cameras=[1])
    save_weights(network, tmp_path / "w.safetensors", describe(options, [1]))
    with pytest.raises(InputError, match="needs the camera of each image: train with"):
        load(tmp_path / "w.safetensors")


def test_device_without_gpu_is_refused(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="found cuda, but torch finds no CUDA device"):
        load(trained, "cuda")
