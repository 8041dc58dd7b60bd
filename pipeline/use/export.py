"""Stages: export a trained network to ONNX, check the model against PyTorch, and quantise it."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pipeline.data.names import TEST_SPLITS
from pipeline.device import make_deterministic
from pipeline.errors import InputError
from pipeline.evaluation.embed import check_weights
from pipeline.files import atomic_file, sha256, write_json
from pipeline.use.cost import SPEED_BATCHES, cpu_times
from pipeline.use.embedder import Embedder, load
from pipeline.use.parity import TOLERANCE, Embed, Parity, refused
from pipeline.use.rankings import compare_rankings, embed_test_set

if TYPE_CHECKING:
    from pipeline.use.onnx_model import OnnxModel

PACKAGES = ("onnx", "onnxruntime", "onnxscript")
"""The extra `onnx`; modules that import it are imported after `check_packages`."""
TIE = 1e-5
"""Two gallery images may swap places if their similarities to the query differ by at most this."""
RANDOM_IMAGES = 64


def check_packages() -> None:
    """Raise InputError if the extra `onnx` is not installed."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise InputError(
            f"Python packages: found no {', '.join(missing)}, expected the extra onnx: "
            "pip install -c envs/constraints.txt -e '.[onnx]'"
        )


def export(model: Path, output: Path) -> None:
    """Write the network of a run, or of its weights, as an ONNX model.

    The features of `RANDOM_IMAGES` random images are compared with those of PyTorch. Raises
    InputError as `load`, `check_packages` and `Parity.compare` do.
    """
    check_packages()
    from pipeline.use.onnx_model import OnnxModel, write_onnx

    embedder = load(model, "cpu")
    with atomic_file(output) as unchecked:
        write_onnx(embedder, unchecked)
        parity = Parity(embedder.embed_batch, OnnxModel(unchecked).embed, str(output))
        _, found = parity.compare(*_random_images(embedder.image.height, embedder.image.width))
    size = f"{embedder.image.height}, {embedder.image.width}"
    print(
        f"{output}: images (N, {size}, 3) uint8 RGB to features (N, {found.shape[1]}) float32\n"
        f"{RANDOM_IMAGES} random images: largest difference from PyTorch "
        f"{parity.largest_difference:.1e}, allowed {TOLERANCE:.0e}"
    )


def _random_images(height: int, width: int) -> tuple[np.ndarray, list[str]]:
    """Return `RANDOM_IMAGES` images (N, H, W, 3) uint8, always the same, and their keys."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (RANDOM_IMAGES, height, width, 3), dtype=np.uint8)
    return images, [str(i) for i in range(RANDOM_IMAGES)]


def export_run(weights: Path, record: Path, shards: Path, model: Path, report: Path) -> None:
    """Write the network of a run as an ONNX model, and a comparison with PyTorch (JSON).

    Both embed every query and gallery image of `shards`. Raises InputError for weights that are not
    those of `record`, as `Embedder` and `Parity.compare` do, and if gallery images swap places that
    are no tie (see `TIE`).
    """
    check_packages()
    from pipeline.use.onnx_model import OnnxModel, write_onnx

    make_deterministic(torch.device("cpu"))
    check_weights(weights, record)
    embedder = Embedder(weights, "cpu")
    with atomic_file(model) as unchecked:
        write_onnx(embedder, unchecked)
        compared = _compare(embedder, OnnxModel(unchecked), shards, str(model))
        hashes = {"network": embedder.sha256, "model": sha256(unchecked)}
        packages = {name: version(name) for name in ("torch", *PACKAGES)}
        write_json(report, hashes | compared | {"packages": packages})


def _compare(embedder: Embedder, exported: OnnxModel, shards: Path, name: str) -> dict[str, Any]:
    """Compare features and rankings on the test set; InputError if they differ."""
    parity = Parity(embedder.embed_batch, exported.embed, name)
    tested = embed_test_set(shards, embedder.image, parity.compare)
    ranking = compare_rankings(*(tested[split] for split in TEST_SPLITS))
    if ranking.largest_swap > TIE:
        raise refused(
            name,
            f"the order of the gallery by PyTorch, except for similarities within {TIE:g}",
            f"two images in reverse order, {ranking.largest_swap:.2g} apart",
        )
    compared = ranking._asdict()
    by_torch, by_onnx = compared.pop("metrics")
    return {
        "features": {
            "name": embedder.feature,
            "images": parity.images,
            "largest_difference": parity.largest_difference,
            "tolerance": TOLERANCE,
            "undecided": parity.undecided,
        },
        "ranking": compared | {"tie": TIE},
        "metrics": {"torch": by_torch, "onnx": by_onnx},
    }


def quantise_run(exported: Path, training: Path, shards: Path, model: Path, report: Path) -> None:
    """Write an ONNX model in 8 bits, and a comparison with the original (JSON).

    Images of the training split of `training` calibrate it; the query and gallery images of
    `shards` test it. Times are CPU times of one thread. Raises InputError as `check_packages` does.
    """
    check_packages()
    from pipeline.use.onnx_model import OnnxModel
    from pipeline.use.quantise import calibration_images, quantise

    full = OnnxModel(exported)
    images = calibration_images(training, full.image)
    with atomic_file(model) as unchecked:
        quantise(exported, unchecked, images)
        small = OnnxModel(unchecked)
        tested = embed_test_set(shards, full.image, lambda x, _: (full.embed(x), small.embed(x)))
        ranking = compare_rankings(*(tested[split] for split in TEST_SPLITS))
        before, after = ranking.metrics
        compared = {
            "hashes": {"float32": sha256(exported), "int8": sha256(unchecked)},
            "bytes": {"float32": exported.stat().st_size, "int8": unchecked.stat().st_size},
            "calibration_images": len(images),
            "metrics": {"float32": before, "int8": after},
            "map_difference": round(after["map"] - before["map"], 4),
            "queries": ranking.queries,
            "same_first_10": ranking.same_first_10,
            "speedup": _speedup(full.embed, small.embed, images),
        }
        write_json(report, compared)


def _speedup(before: Embed, after: Embed, images: np.ndarray) -> dict[str, float]:
    """Return the ratio of the CPU times of two networks by batch size."""
    ratios = {}
    for size in SPEED_BATCHES:
        batch = np.resize(images, (size, *images.shape[1:]))
        old, new = cpu_times([partial(before, batch), partial(after, batch)])
        ratios[str(size)] = round(old / new, 2)
    return ratios
