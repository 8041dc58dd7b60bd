"""Stage: read the masks of SA-1B (arXiv 2304.02643), for a bank without running SAM.

An archive of SA-1B holds sa_<n>.jpg and sa_<n>.json: image {image_id, width, height, file_name} and
annotations [{segmentation: {size, counts}, bbox, area, predicted_iou, stability_score, crop_box,
point_coords}], with COCO's compressed run lengths. They describe the stored pixels: if the EXIF
orientation turns the image, the masks are turned with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import InputError
from pipeline.files import sha256
from pipeline.occluders.images import check_size, masks_transpose, read_stored, sample, turn_mask
from pipeline.occluders.masks import Record
from pipeline.occluders.ready import write_masks
from pipeline.occluders.rle import decode_rle, encode_rle, uncompress_rle
from pipeline.options.occluders import SourceOptions


class _OpenModel(BaseModel):
    """A model that keeps fields it does not know."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)


class _Image(_OpenModel):
    width: int
    height: int


class _Segmentation(_OpenModel):
    size: tuple[int, int]
    counts: str | list[int]


class _Annotation(_OpenModel):
    segmentation: _Segmentation
    predicted_iou: float
    stability_score: float


class _File(_OpenModel):
    image: _Image
    annotations: list[_Annotation]


def read_sa1b(images: Path, masks: Path, source: SourceOptions) -> dict[str, Any]:
    """Write SA-1B's own masks below `images` to a file (see pipeline.occluders.masks).

    One image is in memory at a time. Returns the hashes of the sources. Raises InputError for a
    folder without SA-1B's files and, with all names, for images or annotations that are unreadable,
    missing or do not match, unless `source` says to list them.
    """
    names = sample(_list_names(images), source.limit, source.seed)
    write_masks(masks, images, names, lambda number, name: _read_pair(images, number, name), source)
    return {"sources": {str(images): _hashes(images, names)}}


def _hashes(images: Path, names: list[str]) -> dict[str, str]:
    """SHA-256 of each image and its annotations, by name."""
    paths = [(images / name).with_suffix(end) for name in names for end in (".jpg", ".json")]
    return {p.relative_to(images).as_posix(): sha256(p) for p in paths if p.is_file()}


def _list_names(folder: Path) -> list[str]:
    """List the images, sorted, also those without one of their two files."""
    files = (path for end in ("jpg", "json") for path in folder.rglob(f"sa_*.{end}"))
    names = {path.relative_to(folder).with_suffix(".jpg").as_posix() for path in files}
    if not names:
        raise InputError(
            f"{folder}: expected a folder with SA-1B's sa_<n>.jpg and sa_<n>.json, found none: "
            "unpack one of its archives and set occluders.images to that folder"
        )
    return sorted(names)


def _read_pair(images: Path, number: int, name: str) -> Record:
    """Read the masks of one image and check their size against its pixels."""
    image, transpose = read_stored(images, name)
    height, width = image.shape[:2]
    path = (images / name).with_suffix(".json")
    if not path.is_file():
        raise InputError(f"{path}: no such annotations of {name}: download the file")
    try:
        found = _File.model_validate_json(path.read_bytes())
        size = found.image.height, found.image.width
        transpose = masks_transpose(size, (height, width), transpose)
        annotations = [_annotation(part, size, transpose) for part in found.annotations]
    except (ValidationError, InputError) as error:
        reason = str(error).splitlines()
        raise InputError(
            f"{path}: expected SA-1B's annotations of {name}, found {' '.join(reason[:3])}: "
            "download both files again"
        ) from None
    facts = {"image_id": number, "width": width, "height": height, "file_name": name}
    return {"image": facts, "annotations": annotations}


def _annotation(
    part: _Annotation, size: tuple[int, int], transpose: Image.Transpose | None
) -> dict[str, Any]:
    check_size("a mask", part.segmentation.size, size)
    plain = uncompress_rle(size, part.segmentation.counts)
    if transpose is None:
        return part.model_dump() | {"segmentation": plain}
    upright = turn_mask(decode_rle(plain), transpose)
    # coordinates of the stored pixels
    rest = part.model_dump(exclude={"bbox", "crop_box", "point_coords"})
    return rest | {"segmentation": encode_rle(upright)}
