"""What tests of figures share: runs to draw, and the pixels of a sheet."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from PIL import Image

from pipeline.data.shards import ShardReader
from pipeline.evaluation.embed import embed
from pipeline.evaluation.score import score
from pipeline.figures.sheets import FRAME
from pipeline.files import sha256
from pipeline.model.build import build_model, describe
from pipeline.model.weights import save_weights
from pipeline.options.compute import ComputeOptions
from pipeline.options.evaluation import EvaluationOptions
from pipeline.options.run import BackboneOptions, ImageOptions, ModelOptions, RunOptions

OPTIONS = RunOptions(
    image=ImageOptions(height=32, width=16),
    backbone=BackboneOptions(
        name="vit_tiny_patch16_224", patch_size=4, embed_dim=16, depth=1, num_heads=2
    ),
    model=ModelOptions(k_min=5),
)


def read(path: Path) -> np.ndarray:
    """(H, W, 3) uint8; nothing may touch the edge of a picture, as cut-off text does."""
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
    pixels = cell(module, sheet, row, column)
    return tuple(pixels[pixels.shape[0] // 2, pixels.shape[1] // 2].tolist())


def edge(module: ModuleType, sheet: np.ndarray, row: int, column: int) -> tuple[int, ...]:
    """The colour in the middle of a picture's left edge, where its frame would be."""
    pixels = cell(module, sheet, row, column)
    return tuple(pixels[pixels.shape[0] // 2, FRAME // 2].tolist())


def make_scored_run(folder: Path, shards: Path, variant: str, seed: int) -> Path:
    """A run whose features are drawn, with as many features as its variant has."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, np.ndarray] = {}
    for split in ("query", "gallery"):
        index = ShardReader(shards, split).index
        arrays[f"{split}_keys"] = index["key"].to_numpy(dtype=str)
        arrays[f"{split}_identities"] = index["identity"].to_numpy()
        arrays[f"{split}_cameras"] = index["camera"].to_numpy()
        for feature in ("global", "coarse", *(["blended"] if variant != "baseline" else [])):
            arrays[f"{split}_{feature}"] = rng.normal(size=(len(index), 4)).astype(np.float32)
    arrays["shards"] = np.array("hash of the shards")
    folder.mkdir()
    np.savez(folder / "features.npz", **arrays)
    record = {"dataset": "drawn", "variant": variant, "seed": seed, "hashes": {"weights": "w"}}
    (folder / "run.json").write_text(json.dumps(record))
    files = (folder / name for name in ("features.npz", "run.json", "metrics.json", "queries.csv"))
    score(*files, "drawn", EvaluationOptions())
    return folder


def make_trained_run(folder: Path, shards: Path, options: RunOptions = OPTIONS) -> Path:
    """A run of an untrained network, embedded and scored."""
    folder.mkdir()
    torch.manual_seed(0)
    weights, record = folder / "weights.safetensors", folder / "run.json"
    cameras = sorted(
        {int(c) for s in ("query", "gallery") for c in ShardReader(shards, s).index["camera"]}
    )
    model = build_model(options, 3, pretrained=False, cameras=cameras)
    save_weights(model, weights, describe(options, cameras))
    run = {
        "options": options.model_dump(mode="json"),
        "dataset": "drawn",
        "variant": "dpsm",
        "seed": 0,
        "hashes": {"weights": sha256(weights)},
    }
    record.write_text(json.dumps(run))
    embed(weights, record, shards, folder / "features.npz", ComputeOptions(device="cpu"))
    files = (folder / name for name in ("features.npz", "run.json", "metrics.json", "queries.csv"))
    score(*files, "drawn", EvaluationOptions())
    return folder
