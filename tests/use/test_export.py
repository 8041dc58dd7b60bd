"""The command and the rules: a model that differs from PyTorch is refused, and not kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import onnx
import pytest

from pipeline.data.shards import Sample, write_index, write_shards
from pipeline.errors import InputError
from pipeline.files import read_json, sha256
from pipeline.use import export as export_module
from pipeline.use import onnx_model
from pipeline.use.embedder import Embedder
from pipeline.use.export import export, export_run, quantise_run
from pipeline.use.onnx_model import OnnxModel
from tests.miniatures import encode
from tests.training.tiny_data import make_shards
from tests.use.conftest import Exported

TEST_IMAGES = {"query": 4, "gallery": 8}
Change: TypeAlias = Callable[[onnx.ModelProto], None]
"""A change of an ONNX model."""


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of smooth random test images, two identities under two cameras."""
    folder = tmp_path_factory.mktemp("test_shards")
    rng = np.random.default_rng(0)
    rows = []
    for camera, (split, count) in enumerate(TEST_IMAGES.items(), start=1):
        coarse = rng.integers(0, 256, (count, 4, 2, 3), dtype=np.uint8)
        images = coarse.repeat(8, axis=1).repeat(8, axis=2)
        samples = [
            Sample(f"{split}{i}", "png", encode(pixels), {"identity": 1 + i % 2, "camera": camera})
            for i, pixels in enumerate(images)
        ]
        rows += write_shards(folder, split, samples)
    write_index(folder, rows)
    return folder


def reverse_sorts(model: onnx.ModelProto) -> None:
    """Select the tokens of the lowest scores instead of the highest."""
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "TopK" and attribute.name == "largest":
                attribute.i = 1 - attribute.i


def change_weight(model: onnx.ModelProto) -> None:
    """Double one weight of the network."""
    weight = next(item for item in model.graph.initializer if item.name.endswith("proj.weight"))
    values = onnx.numpy_helper.to_array(weight).copy()
    values.flat[0] *= 2
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))


@pytest.fixture
def write_instead(exported: Exported, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the export write the exported model, changed."""

    def replace(change: Change | None = None) -> None:
        def write(embedder: Embedder, path: Path) -> None:
            model = onnx.load(exported.path)
            if change:
                change(model)
            onnx.save(model, path)

        monkeypatch.setattr(onnx_model, "write_onnx", write)

    return replace


@pytest.fixture
def export_rule(shards: Path, tmp_path: Path) -> Callable[[Path], Path]:
    """Run the rule's stage on a run; returns the folder of its outputs."""
    outputs = tmp_path / "outputs"
    outputs.mkdir()

    def run_stage(run: Path) -> Path:
        files = (run / "weights.safetensors", run / "run.json", shards)
        export_run(*files, outputs / "model.onnx", outputs / "onnx.json")
        return outputs

    return run_stage


def test_command_says_what_it_wrote(exported: Exported) -> None:
    size, difference = exported.printed.splitlines()
    assert size.endswith("model.onnx: images (N, 32, 16, 3) uint8 RGB to features (N, 128) float32")
    assert difference.startswith("64 random images: largest difference from PyTorch ")
    assert difference.endswith(", allowed 1e-05")


@pytest.mark.parametrize("change", [reverse_sorts, change_weight])
def test_command_refuses_a_wrong_model(
    write_instead: Callable[..., None], trained: Path, tmp_path: Path, change: Change
) -> None:
    write_instead(change)
    with pytest.raises(
        InputError, match=r"m\.onnx: expected PyTorch's feature of image \d+ within"
    ):
        export(trained, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_rule_reports_features_and_rankings(
    exported: Exported,
    write_instead: Callable[..., None],
    export_rule: Callable[[Path], Path],
    trained: Path,
) -> None:
    write_instead()
    outputs = export_rule(trained)
    found = read_json(outputs / "onnx.json")
    assert found["model"] == sha256(outputs / "model.onnx")
    assert found["network"] == exported.embedder.sha256
    assert found["features"]["images"] == sum(TEST_IMAGES.values())
    assert 0 < found["features"]["largest_difference"] < 1e-6
    assert found["features"]["undecided"] == []
    assert found["ranking"]["same_first_10"] == TEST_IMAGES["query"]
    assert found["ranking"]["largest_swap"] < 1e-6
    assert found["metrics"]["torch"] == found["metrics"]["onnx"]


@pytest.mark.parametrize(
    ("change", "tie", "reason"),
    [
        (reverse_sorts, export_module.TIE, "expected PyTorch's feature of image query"),
        (None, -1.0, "expected the order of the gallery by PyTorch, except"),
    ],
    ids=["features", "order of the gallery"],
)
def test_rule_refuses_a_wrong_model(
    write_instead: Callable[..., None],
    export_rule: Callable[[Path], Path],
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Change | None,
    tie: float,
    reason: str,
) -> None:
    write_instead(change)
    monkeypatch.setattr(export_module, "TIE", tie)
    with pytest.raises(InputError, match=rf"model\.onnx: {reason}"):
        export_rule(trained)
    assert list((tmp_path / "outputs").iterdir()) == []


def test_weights_of_another_run_are_refused(export_rule: Callable[[Path], Path], run: Path) -> None:
    shutil.copy(run / "history.csv", run / "weights.safetensors")
    with pytest.raises(InputError, match=r"weights\.safetensors: expected SHA-256"):
        export_rule(run)


def test_missing_extra_is_named(trained: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(
        export_module, "find_spec", lambda name: None if name == "onnxruntime" else name
    )
    with pytest.raises(InputError, match=r"found no onnxruntime, expected the extra onnx: pip in"):
        export(trained, tmp_path / "m.onnx")


def test_int8_model_is_compared_with_the_original(
    exported: Exported, shards: Path, tmp_path: Path
) -> None:
    model, report = tmp_path / "model.int8.onnx", tmp_path / "int8.json"
    training = make_shards(tmp_path / "training")
    quantise_run(exported.path, training, shards, model, report)
    found = read_json(report)
    assert found["hashes"] == {"float32": sha256(exported.path), "int8": sha256(model)}
    assert found["bytes"]["int8"] < found["bytes"]["float32"]
    assert found["calibration_images"] == 24
    before, after = found["metrics"]["float32"], found["metrics"]["int8"]
    assert found["map_difference"] == pytest.approx(after["map"] - before["map"], abs=1e-4)
    assert found["speedup"].keys() == {"1", "32"}
    assert OnnxModel(model).metadata["network"] == exported.embedder.sha256
