"""Runs for figures, and the pixels of a sheet."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from PIL import Image

from pipeline.data.shards import ShardReader
from pipeline.evaluation.embed import embed
from pipeline.evaluation.score import score
from pipeline.figures.sheets import FRAME
from pipeline.files import sha256, write_json
from pipeline.model.build import build_model, describe
from pipeline.model.weights import save_weights
from pipeline.options.compute import ComputeOptions
from pipeline.options.evaluation import EvaluationOptions
from pipeline.options.run import BackboneOptions, ImageOptions, ModelOptions, RunOptions
from pipeline.run import Run

OPTIONS = RunOptions(
    image=ImageOptions(height=32, width=16),
    backbone=BackboneOptions(
        name="vit_tiny_patch16_224", patch_size=4, embed_dim=16, depth=1, num_heads=2
    ),
    model=ModelOptions(k_min=5),
)


def read(path: Path) -> np.ndarray:
    """Read a figure (H, W, 3) uint8; requires a white margin, which cut-off text would cross."""
    with Image.open(path) as image:
        pixels = np.array(image.convert("RGB"))
    edge = np.ones(pixels.shape[:2], bool)
    edge[4:-4, 4:-4] = False
    assert (pixels[edge] == 255).all()
    return pixels


def cell(module: ModuleType, sheet: np.ndarray, row: int, column: int) -> np.ndarray:
    top, left = module.LAYOUT.origin(row, column)
    return sheet[top : top + module.LAYOUT.height, left : left + module.LAYOUT.width]


def centre(module: ModuleType, sheet: np.ndarray, row: int, column: int) -> tuple[int, ...]:
    """Return the colour at the centre of a cell."""
    pixels = cell(module, sheet, row, column)
    return tuple(pixels[pixels.shape[0] // 2, pixels.shape[1] // 2].tolist())


def edge(module: ModuleType, sheet: np.ndarray, row: int, column: int) -> tuple[int, ...]:
    """Return the colour in the middle of the left edge of an image, where a frame would be."""
    pixels = cell(module, sheet, row, column)
    return tuple(pixels[pixels.shape[0] // 2, FRAME // 2].tolist())


def score_run(folder: Path) -> Run:
    names = ("features.npz", "run.json", "metrics.json", "queries.csv")
    score(*(folder / name for name in names), "plain", EvaluationOptions())
    return Run(folder)


def make_scored_run(folder: Path, shards: Path, variant: str, seed: int) -> Run:
    """Make a run with random features, as many as its variant has."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, np.ndarray] = {"shards": np.array("hash of the shards")}
    for split in ("query", "gallery"):
        index = ShardReader(shards, split).index
        arrays[f"{split}_keys"] = index["key"].to_numpy(dtype=str)
        arrays[f"{split}_identities"] = index["identity"].to_numpy()
        arrays[f"{split}_cameras"] = index["camera"].to_numpy()
        for feature in ("global", "coarse", *(["blended"] if variant != "baseline" else [])):
            arrays[f"{split}_{feature}"] = rng.normal(size=(len(index), 4)).astype(np.float32)
    folder.mkdir()
    np.savez(folder / "features.npz", **arrays)
    write_json(folder / "run.json", {"dataset": "plain", "variant": variant, "seed": seed})
    return score_run(folder)


def make_trained_run(folder: Path, shards: Path, options: RunOptions = OPTIONS) -> Run:
    """Make a run of an untrained network, embedded and scored."""
    folder.mkdir()
    torch.manual_seed(0)
    weights, record = folder / "weights.safetensors", folder / "run.json"
    cameras = [1, 2, 3]
    model = build_model(options, 3, pretrained=False, cameras=cameras)
    save_weights(model, weights, describe(options, cameras))
    head = {"dataset": "plain", "variant": "dpsm", "seed": 0}
    hashes = {"hashes": {"weights": sha256(weights)}}
    write_json(record, head | hashes | {"options": options.model_dump(mode="json")})
    embed(weights, record, shards, folder / "features.npz", ComputeOptions(device="cpu"))
    return score_run(folder)
