"""A tiny benchmark of single-coloured images, identified by their colours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.data.shards import Sample, write_index, write_shards
from tests.miniatures import encode

HEIGHT, WIDTH = 32, 16
IDENTITIES = {"train": (1, 2, 3, 4), "query": (11, 12, 13), "gallery": (0, 11, 12, 13)}
WILD = {"train": "", "query": "", "gallery": '_IMG 20 (1), "a"; b'}
"""Special characters in file names, by split."""
CAMERAS = {"train": (1, 2, 3), "query": (1,), "gallery": (2, 3)}


def colour(split: str, identity: int, camera: int) -> tuple[int, int, int]:
    return 60 + 50 * list(IDENTITIES).index(split), 10 * identity, 60 * camera


def samples(split: str) -> Iterator[Sample]:
    for identity in IDENTITIES[split]:
        for camera in CAMERAS[split]:
            picture = np.full((HEIGHT, WIDTH, 3), colour(split, identity, camera), np.uint8)
            meta = {"identity": identity, "camera": camera}
            key = f"{split}_{identity}_{camera}" + WILD[split]
            yield Sample(key, "png", encode(picture), meta)


def draw_shards(folder: Path) -> Path:
    """Write shards of 12 training images, 3 queries and 8 gallery images with 2 distractors."""
    rows = [row for split in IDENTITIES for row in write_shards(folder, split, samples(split))]
    write_index(folder, rows)
    return folder


def draw_bank(folder: Path) -> Path:
    """Write a bank of three red discs, selected from six masks."""
    y, x = np.indices((24, 24))
    disc = np.zeros((24, 24, 4), np.uint8)
    disc[(y - 12) ** 2 + (x - 12) ** 2 < 120] = (255, 0, 0, 255)
    objects = (Sample(f"disc{i}", "png", encode(disc), {}) for i in range(3))
    write_index(folder, write_shards(folder, "bank", objects))
    verdicts = ["kept", "min_area", "kept", "stability", "kept", "min_area"]
    lines = [f"disc{i},{verdict}" for i, verdict in enumerate(verdicts)]
    (folder / "table.csv").write_text("\n".join(["key,verdict", *lines]) + "\n")
    (folder / "summary.json").write_text('{"images": 2, "unreadable": {}}')
    return folder
