"""Stage: take cut-outs that have a transparent background as occluders, without a segmenter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.data.images import decode_alpha
from pipeline.errors import InputError
from pipeline.files import sha256
from pipeline.occluders.images import list_images, sample
from pipeline.occluders.masks import Record
from pipeline.occluders.ready import CERTAIN, write_masks
from pipeline.occluders.rle import encode_rle
from pipeline.options.occluders import SourceOptions

OPAQUE = 128
"""Opacity from which a pixel belongs to the object, of 255."""


def read_alpha(images: Path, masks: Path, source: SourceOptions) -> dict[str, Any]:
    """Write a mask of each cut-out below `images` to a file (see pipeline.occluders.masks).

    Its opaque pixels are one object. One image is in memory at a time. Returns the hashes of the
    sources. Raises InputError for a folder without images and, with all names, for images that do
    not decode, have no alpha channel or are fully transparent or opaque, unless `source` says to
    list them.
    """
    names = sample(list_images(images), source.limit, source.seed)
    write_masks(masks, images, names, lambda number, name: _read(images, number, name), source)
    return {"sources": {str(images): {name: sha256(images / name) for name in names}}}


def _read(images: Path, number: int, name: str) -> Record:
    path = images / name
    mask = decode_alpha(path.read_bytes(), str(path)) >= OPAQUE
    if mask.all() or not mask.any():
        found = "only opaque ones" if mask.any() else "no opaque one"
        raise InputError(
            f"{path}: expected opaque pixels of an object on transparent ones, found {found}: "
            "remove the background of the image, or the image"
        )
    height, width = mask.shape
    facts = {"image_id": number, "width": width, "height": height, "file_name": name}
    return {"image": facts, "annotations": [{"segmentation": encode_rle(mask), **CERTAIN}]}
