"""An exported network gives the features of PyTorch, for every variant and size of batch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from pipeline import ROOT
from pipeline.evaluation.embed import embed_images, stack
from pipeline.files import sha256
from pipeline.model.build import build_model, describe
from pipeline.model.weights import save_weights
from pipeline.options.run import BackboneOptions, ImageOptions, ModelOptions, RunOptions
from pipeline.use.embedder import Embedder
from pipeline.use.onnx_model import OnnxModel, write_onnx
from tests.cases import long_but
from tests.tiny import tiny_backbone
from tests.use.conftest import Exported

VARIANTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "baseline": {"selection": "none"},
    "all": {"selection": "all"},
    "part features": {"fusion": "none", "parts": 3},
    "addition": {"fusion": "addition", "order": "raster", "threshold": "otsu"},
    "class token": {"proxy": "class", "similarity": "cosine", "class_neck": True},
    "stripe": {"order": "stripe", "parts": 3},
    "concatenation": {
        "order": "stripe",
        "threshold": "otsu",
        "similarity": "cosine",
        "proxy": "class",
        "sparse_stripe": "kept",
        "fusion": "concatenation",
        "class_neck": True,
    },
}
IMAGE = ImageOptions(height=48, width=32, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))


def random_network(folder: Path, backbone: BackboneOptions | None = None, **model: Any) -> Embedder:
    """Return a network with random weights, whose batch norms have seen other features."""
    options = RunOptions(
        image=IMAGE,
        backbone=backbone or tiny_backbone(depth=2),
        model=ModelOptions(k_min=3, **model),
    )
    torch.manual_seed(0)
    network = build_model(options, 2, pretrained=False)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if "neck" in name and value.is_floating_point():
                value.add_(torch.rand_like(value))
    save_weights(network, folder / "weights.safetensors", describe(options, []))
    return Embedder(folder / "weights.safetensors", "cpu")


def random_images(count: int, image: ImageOptions = IMAGE) -> np.ndarray:
    """Return smooth random images (N, H, W, 3) uint8."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, image.height // 8, image.width // 8, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


def check(embedder: Embedder, path: Path) -> None:
    """Export the network, and compare its features with those of PyTorch."""
    write_onnx(embedder, path)
    images = random_images(9)
    found = OnnxModel(path).embed(images)
    np.testing.assert_allclose(found, embedder.embed_batch(images), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert found.dtype == np.float32
    assert np.abs(found - found[0]).max() > 0.01  # the images differ


@pytest.mark.parametrize("variant", long_but(VARIANTS))
def test_features_equal_those_of_pytorch(variant: str, tmp_path: Path) -> None:
    check(random_network(tmp_path, **VARIANTS[variant]), tmp_path / "model.onnx")


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    [
        "beit_base_patch16_224",
        "deit_tiny_distilled_patch16_224",
        "eva02_tiny_patch14_224",
        "vit_base_patch16_clip_224",
        "vit_small_patch14_reg4_dinov2",
        "vit_small_patch16_dinov3",
    ],
)
def test_other_backbones_are_exported(name: str, tmp_path: Path) -> None:
    backbone = tiny_backbone(name=name, embed_dim=64, stride=6)
    check(random_network(tmp_path, backbone), tmp_path / "model.onnx")


def test_feature_does_not_depend_on_the_batch(exported: Exported) -> None:
    model = OnnxModel(exported.path)
    images = random_images(9, model.image)
    whole = model.embed(images)
    for parts in ([images[:1], images[1:]], np.split(images, 3)):
        found = np.concatenate([model.embed(part) for part in parts])
        np.testing.assert_allclose(found, whole, atol=1e-6)


def test_images_of_the_tests_select_different_numbers_of_tokens(exported: Exported) -> None:
    embedder = exported.embedder
    images = stack(list(random_images(9, embedder.image)))
    with torch.inference_mode():
        k = embed_images(embedder.network, images, embedder.image)["k"]
    assert len(set(k.tolist())) > 1


def test_input_and_output_are_described(exported: Exported, trained: Path) -> None:
    session = onnxruntime.InferenceSession(exported.path)
    (images,), (features,) = session.get_inputs(), session.get_outputs()
    assert (images.name, images.type, images.shape[1:]) == ("images", "tensor(uint8)", [32, 16, 3])
    assert (features.name, features.type) == ("features", "tensor(float)")
    assert isinstance(images.shape[0], str)  # any number
    metadata = OnnxModel(exported.path).metadata
    assert {name: metadata[name] for name in ("feature", "height", "width")} == {
        "feature": "blended",
        "height": "32",
        "width": "16",
    }
    assert metadata["network"] == sha256(trained / "weights.safetensors")
    assert json.loads(metadata["mean"]) == [0.5, 0.5, 0.5]


def test_model_holds_no_path(exported: Exported) -> None:
    content = exported.path.read_bytes()
    assert str(ROOT).encode() not in content
    assert b".py" not in content


@pytest.mark.long
def test_same_network_gives_the_same_bytes(exported: Exported, tmp_path: Path) -> None:
    write_onnx(exported.embedder, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == exported.path.read_bytes()
