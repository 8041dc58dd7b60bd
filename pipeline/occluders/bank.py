"""Read the occluder bank."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.data.shards import HASHES, ShardReader
from pipeline.errors import InputError
from pipeline.files import read_json


def load_bank(folder: Path) -> list[np.ndarray]:
    """All cut-outs in the order of the index, each (h, w, 4) uint8 RGBA.

    Raises InputError for a bank that is missing, empty or no longer as it was written.
    """
    if (folder / HASHES).is_file() and not read_json(folder / HASHES):
        raise InputError(f"{folder}: expected a bank of occluders, found no object: make it again")
    reader = ShardReader(folder, "bank")
    return [_rgba(reader.read(i)) for i in range(len(reader))]


def _rgba(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        return np.array(image.convert("RGBA"))
