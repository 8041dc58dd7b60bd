"""A tiny training set, a tiny bank and a tiny network, all real."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.data.shards import Sample, write_index, write_shards
from pipeline.options.run import (
    AugmentOptions,
    ImageOptions,
    ModelOptions,
    RunOptions,
    TrainingOptions,
)
from tests.miniatures import encode
from tests.tiny import tiny_backbone

HEIGHT, WIDTH = 32, 16
IDENTITIES, IMAGES = 6, 4


def make_shards(folder: Path) -> Path:
    """Write shards of identities that differ in colours; their numbers have gaps, as real ones."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    samples = []
    for identity in range(IDENTITIES):
        top, bottom = rng.integers(40, 216, (2, 3))
        for i in range(IMAGES):
            image = rng.normal(0, 12, (HEIGHT, WIDTH, 3))
            image[: HEIGHT // 2] += top
            image[HEIGHT // 2 :] += bottom
            data = encode(image.clip(0, 255).astype(np.uint8))
            meta = {"identity": 3 + 7 * identity, "camera": 1 + (identity + i) % 2}
            samples.append(Sample(f"{identity:04d}_{i}", "png", data, meta))
    write_index(folder, write_shards(folder, "train", samples))
    return folder


def make_cut_outs() -> list[np.ndarray]:
    """Make two tall and two wide objects, with a transparent frame."""
    rng = np.random.default_rng(1)
    result = []
    for height, width in ((40, 12), (50, 20), (20, 30), (24, 24)):
        cut_out = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
        cut_out[..., 3] = 0
        cut_out[2:-2, 2:-2, 3] = 255
        result.append(cut_out)
    return result


def make_bank(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    samples = [Sample(f"o{i}", "png", encode(cut), {}) for i, cut in enumerate(make_cut_outs())]
    write_index(folder, write_shards(folder, "bank", samples))
    return folder


def tiny_options() -> RunOptions:
    return RunOptions(
        image=ImageOptions(height=HEIGHT, width=WIDTH),
        backbone=tiny_backbone(depth=2, drop_path=0.2),  # the first block drops nothing
        model=ModelOptions(k_min=2),
        augment=AugmentOptions(pad=2),
        training=TrainingOptions(
            epochs=3,
            identities=3,
            images=2,
            sampler="identities",
            optimizer="adamw",
            lr=1e-3,
            warmup_epochs=1.0,
        ),
    )
