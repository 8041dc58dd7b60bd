"""Files in the format of SA-1B: JPEG, and JSON with compressed run lengths."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image


def compress(mask: np.ndarray) -> str:
    """Encode a mask (H, W) bool as COCO's compressed run lengths (cocoapi, maskApi.c)."""
    runs = [(bit, len(list(run))) for bit, run in groupby(mask.T.ravel().tolist())]
    lengths = ([0] if runs[0][0] else []) + [length for _, length in runs]
    text = ""
    for i, length in enumerate(lengths):
        value, more = length - (lengths[i - 2] if i > 2 else 0), True
        while more:
            bits, value = value & 0x1F, value >> 5
            more = value != (-1 if bits & 0x10 else 0)
            text += chr(48 + bits + (0x20 if more else 0))
    return text


def add_pair(folder: Path, number: int, masks: list[np.ndarray]) -> None:
    """Write sa_<number>.jpg with random pixels and sa_<number>.json with `masks` (H, W) bool."""
    height, width = masks[0].shape
    pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / f"sa_{number}.jpg")
    name = f"sa_{number}.jpg"
    facts = {"image_id": number, "width": width, "height": height, "file_name": name}
    annotations = [
        {
            "bbox": [0.0, 0.0, 1.0, 1.0],
            "area": int(mask.sum()),
            "segmentation": {"size": [height, width], "counts": compress(mask)},
            "predicted_iou": 0.9558961391448975,
            "point_coords": [[1.5, 2.5]],
            "crop_box": [0.0, 0.0, width, height],
            "id": 1000 * number + i,
            "stability_score": 0.9862385392189026,
        }
        for i, mask in enumerate(masks)
    ]
    record = {"image": facts, "annotations": annotations}
    (folder / f"sa_{number}.json").write_text(json.dumps(record))
