"""Write a trained network as an ONNX model, and run such a model. Needs the extra `onnx`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnxscript import opset18 as op
from torch import Tensor, nn
from torch.nn import functional

from pipeline.model.backbone import use_plain_attention
from pipeline.options.run import ImageOptions
from pipeline.use.embedder import Embedder

OPSET = 20
"""Version of ONNX's operators."""
INPUT, OUTPUT = "images", "features"
"""Names of the model's only input and output."""


class PixelNetwork(nn.Module):
    """A trained network with its preprocessing: from pixels to the test feature."""

    mean: Tensor
    std: Tensor

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        self.network, self._feature = deepcopy(embedder.network), embedder.feature
        use_plain_attention(self.network.backbone)  # torch cannot export BEiT's fused attention
        # not by `normalise`: it keeps its tensors, and those of an export hold no values
        for name in ("mean", "std"):
            values = torch.tensor(getattr(embedder.image, name))
            self.register_buffer(name, values.view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Embed images (N, H, W, 3) uint8 RGB: (N, F) float32 of unit length."""
        pixels = images.permute(0, 3, 1, 2).float() / 255
        features = self.network((pixels - self.mean) / self.std)
        chosen = features.coarse if self._feature == "coarse" else features.blended
        return functional.normalize(chosen, dim=1)


def write_onnx(embedder: Embedder, path: Path) -> None:
    """Write the network on the CPU as an ONNX model with its description as metadata.

    The same network gives the same bytes.
    """
    height, width = embedder.image.height, embedder.image.width
    program = torch.onnx.export(
        PixelNetwork(embedder).eval(),
        (torch.zeros(2, height, width, 3, dtype=torch.uint8),),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes={INPUT: {0: torch.export.Dim("N")}},
        opset_version=OPSET,
        custom_translation_table={torch.ops.aten.sort.stable: _stable_sort},
        verbose=False,
    )
    assert program is not None  # None is for the exporter of TorchScript
    model = program.model_proto
    _remove_traces(model)
    onnx.helper.set_model_props(model, metadata_of(embedder))
    onnx.save(model, str(path))


def metadata_of(embedder: Embedder) -> dict[str, str]:
    """Return the metadata of the ONNX model; mean and std are part of its graph."""
    image = embedder.image
    return {
        "network": embedder.sha256,
        "feature": embedder.feature,
        "height": str(image.height),
        "width": str(image.width),
        "mean": json.dumps(image.mean),
        "std": json.dumps(image.std),
    }


def _stable_sort(
    scores: Any, stable: bool = True, dim: int = -1, descending: bool = False
) -> tuple[Any, Any]:
    """Translate torch's stable sort of the last axis: of equal values, TopK takes the first."""
    return op.TopK(scores, op.Shape(scores, start=dim), axis=dim, largest=int(descending), sorted=1)


def _remove_traces(model: onnx.ModelProto) -> None:
    """Remove torch's notes on each node, which have source lines and paths of this machine."""
    for item in (*model.graph.node, *model.graph.value_info, *_arguments(model)):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    model.graph.ClearField("metadata_props")


def _arguments(model: onnx.ModelProto) -> Iterator[Any]:
    yield from model.graph.input
    yield from model.graph.output
    yield from model.graph.initializer


class OnnxModel:
    """An ONNX model that `write_onnx` wrote, run by ONNX Runtime on one thread of the CPU."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        """See `metadata_of`."""
        height, width = int(self.metadata["height"]), int(self.metadata["width"])
        self.image = ImageOptions(height=height, width=width)
        """Size of the input; mean and std are part of the model."""

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Embed images (N, H, W, 3) uint8 RGB of the model's own size: (N, F) float32."""
        features: np.ndarray
        (features,) = self._session.run([OUTPUT], {INPUT: images})
        return features
