"""Read the occluder bank."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.data.shards import ShardReader, read_hashes
from pipeline.errors import InputError


def load_bank(folder: Path) -> list[np.ndarray]:
    """Load all cut-outs in the order of the index, each (h, w, 4) uint8 RGBA.

    Raises InputError for a bank that is missing, empty or damaged.
    """
    if not any("samples" in facts for facts in read_hashes(folder).values()):
        raise InputError(f"{folder}: expected a bank of occluders, found no object: make it again")
    reader = ShardReader(folder, "bank")
    return [_rgba(reader.read(i)) for i in range(len(reader))]


def _rgba(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        return np.array(image.convert("RGBA"))
