"""Measure an exported network against PyTorch: CPU time of one image and of a batch.

    OMP_NUM_THREADS=1 python -m benchmarks.export                    # ViT-B/16, 256 x 128
    OMP_NUM_THREADS=1 python -m benchmarks.export --model RUN

Without a run, the network is that of the paper with random weights. PyTorch, ONNX Runtime in
float32 and in 8 bits take turns, each on one thread. The images are random.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from pipeline import load
from pipeline.model.build import build_model, describe
from pipeline.model.weights import save_weights
from pipeline.options.run import RunOptions
from pipeline.use.cost import SPEED_BATCHES, cpu_times
from pipeline.use.onnx_model import OnnxModel, write_onnx
from pipeline.use.quantise import quantise


def write_random_network(path: Path) -> Path:
    """Write the paper's network with random weights."""
    options = RunOptions()
    torch.manual_seed(0)
    save_weights(build_model(options, 1, pretrained=False), path, describe(options, []))
    return path


def measure(model: Path, folder: Path, repeats: int) -> None:
    """Export a network into `folder`, time it, and print."""
    torch.set_num_threads(1)
    embedder = load(model, "cpu")
    height, width = embedder.image.height, embedder.image.width
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (max(SPEED_BATCHES), height, width, 3), dtype=np.uint8)
    exported, small = folder / "model.onnx", folder / "model.int8.onnx"
    write_onnx(embedder, exported)
    quantise(exported, small, images)
    runs = (embedder.embed_batch, OnnxModel(exported).embed, OnnxModel(small).embed)
    print(f"{height} x {width} pixels; CPU time of one thread, best of {repeats}")
    for size in SPEED_BATCHES:
        times = cpu_times([partial(run, images[:size]) for run in runs], repeats)
        by_torch, by_onnx, by_int8 = (1e3 * time / size for time in times)
        print(
            f"batch {size}: PyTorch {by_torch:#.3g} ms an image, ONNX Runtime {by_onnx:#.3g} "
            f"({by_torch / by_onnx:.2f} x as fast), 8 bits {by_int8:#.3g} "
            f"({by_torch / by_int8:.2f} x)"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.export", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--model", type=Path, help="folder of a run, or its weights")
    parser.add_argument("--repeats", type=int, default=10, help="default: 10")
    given = parser.parse_args(arguments)
    with TemporaryDirectory() as name:
        folder = Path(name)
        model = given.model or write_random_network(folder / "random.safetensors")
        measure(model, folder, given.repeats)


if __name__ == "__main__":
    main()
