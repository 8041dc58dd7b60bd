"""Quantise an ONNX model to eight bits. Needs the extra `onnx`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from pipeline.data.shards import ShardReader
from pipeline.data.training_images import TrainingImages
from pipeline.options.run import ImageOptions
from pipeline.use.onnx_model import INPUT

CALIBRATION_IMAGES = 128
CALIBRATION_BATCH = 16
LAYERS = ["MatMul", "Gemm"]
"""Operators that are quantised, where one operand is a weight: the linear layers."""


class Calibration(CalibrationDataReader):
    """Batches of images (M, H, W, 3) uint8, from which the ranges of activations are measured."""

    def __init__(self, images: np.ndarray) -> None:
        starts = range(0, len(images), CALIBRATION_BATCH)
        self._batches: Iterator[np.ndarray] = iter(
            [images[start : start + CALIBRATION_BATCH] for start in starts]
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next input of the model; None at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def calibration_images(shards: Path, image: ImageOptions, seed: int = 0) -> np.ndarray:
    """Choose `CALIBRATION_IMAGES` training images at random, in the order of the shards.

    Returns (M, H, W, 3) uint8; all images if there are fewer.
    """
    images = TrainingImages(ShardReader(shards, "train"), image)
    chosen = np.random.default_rng(seed).permutation(len(images))[:CALIBRATION_IMAGES]
    return np.stack([images[i] for i in sorted(chosen.tolist())])


def quantise(model: Path, output: Path, images: np.ndarray) -> None:
    """Write `model` with its linear layers in 8 bits, for activations as those of `images`.

    Unsigned on both sides: without VNNI, x86 saturates sums of unsigned times signed bytes.
    """
    quantize_static(
        str(model),
        str(output),
        Calibration(images),
        op_types_to_quantize=LAYERS,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QUInt8,
        extra_options={"MatMulConstBOnly": True},
    )
