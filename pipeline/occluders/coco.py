"""Stage: read the masks of COCO's instance annotations, for a bank without a segmenter.

A file of annotations (https://cocodataset.org/#format-data) has images [{id, width, height,
file_name}], categories [{id, name}] and annotations [{id, image_id, category_id, segmentation,
iscrowd}]. A segmentation is a list of polygons [x, y, x, y, ...] in pixels from the top left corner
of the image, or run lengths {size, counts}, compressed or not. As in SA-1B, masks are turned with
an image that has an EXIF orientation.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, NamedTuple

import numpy as np
from matplotlib.path import Path as Outline
from PIL import Image
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import InputError, some
from pipeline.files import read_json, sha256
from pipeline.occluders.images import check_size, masks_transpose, read_stored, sample, turn_mask
from pipeline.occluders.masks import Record
from pipeline.occluders.ready import CERTAIN, write_masks
from pipeline.occluders.rle import decode_rle, encode_rle, uncompress_rle
from pipeline.options.occluders import SourceOptions


class _Model(BaseModel):
    """A model that ignores fields it does not know."""

    model_config = ConfigDict(allow_inf_nan=False)


class _Image(_Model):
    id: int
    width: int
    height: int
    file_name: str


class _Category(_Model):
    id: int
    name: str


class _RunLengths(_Model):
    size: tuple[int, int]
    counts: str | list[int]


def _even(polygon: list[float]) -> list[float]:
    if len(polygon) % 2:
        raise ValueError("expected x and y of each corner")
    return polygon


Polygon = Annotated[list[float], Field(min_length=6), AfterValidator(_even)]
"""x, y, x, y, ... in pixels."""


class _Annotation(_Model):
    segmentation: Annotated[list[Polygon], Field(min_length=1)] | _RunLengths
    iscrowd: bool = False


class _Header(_Model):
    """The file, with annotations that are only checked for images in use."""

    images: list[_Image]
    categories: list[_Category]
    annotations: list[dict[str, Any]]


class _Instances(NamedTuple):
    """The annotated images and the annotations of each, by file name."""

    path: Path
    images: dict[str, _Image]
    annotations: dict[str, list[dict[str, Any]]]


def read_coco(
    images: Path,
    annotations: Path,
    masks: Path,
    source: SourceOptions,
    categories: list[str],
) -> dict[str, Any]:
    """Write the masks of `categories` (empty: of all) to a file (see pipeline.occluders.masks).

    Only images with such an annotation count. One image is in memory at a time, beside all
    annotations. Returns the hashes of the sources. Raises InputError for a file that is not
    COCO's, for an unknown category and, with all names, for images that are missing or unreadable
    or do not match their annotations, unless `source` says to list them.
    """
    instances = _read_instances(annotations, categories)
    names = sample(sorted(instances.annotations), source.limit, source.seed)
    write_masks(
        masks, images, names, lambda number, name: _read(images, instances, number, name), source
    )
    hashes = {name: sha256(images / name) for name in names if (images / name).is_file()}
    return {"sources": {str(images): hashes}}


def _read_instances(path: Path, categories: list[str]) -> _Instances:
    """Read the annotations of `categories`; InputError for another file or an unknown category."""
    header = _read_header(path)
    chosen = _category_ids(path, header.categories, categories)
    by_id = {image.id: image for image in header.images}
    annotations: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for annotation in header.annotations:
        image, category = (annotation.get(key) for key in ("image_id", "category_id"))
        if image not in by_id:
            raise _invalid(path, f"annotation {annotation.get('id')} of an unknown image {image}")
        if category in chosen:
            annotations[by_id[image].file_name].append(annotation)
    if not annotations:
        raise _invalid(path, f"no annotation of {some(categories) or 'any category'}")
    return _Instances(path, {image.file_name: image for image in header.images}, annotations)


def _read_header(path: Path) -> _Header:
    try:
        return _Header.model_validate(read_json(path))
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file, expected COCO's instance annotations: correct "
            "occluders.coco.annotations"
        ) from None
    except ValueError as error:  # not JSON, or not valid
        raise _invalid(path, " ".join(str(error).splitlines()[:3])) from None


def _invalid(path: Path, found: str) -> InputError:
    return InputError(
        f"{path}: expected COCO's instance annotations with masks, found {found}: correct the file "
        "or occluders.coco"
    )


def _category_ids(path: Path, known: list[_Category], names: list[str]) -> set[int]:
    """Return the ids of the categories `names`; empty: of all."""
    unknown = sorted({*names} - {category.name for category in known})
    if unknown:
        raise InputError(
            f"config: occluders.coco.categories: found {some(unknown)}, expected categories of "
            f"{path} ({', '.join(sorted(category.name for category in known))}): correct the names"
        )
    return {category.id for category in known if category.name in names or not names}


def _read(images: Path, instances: _Instances, number: int, name: str) -> Record:
    """Read the masks of one image and check their size against its pixels."""
    _check_file(images, name, instances.path)
    pixels, transpose = read_stored(images, name)
    height, width = pixels.shape[:2]
    stated = instances.images[name]
    size = stated.height, stated.width
    try:
        turn = masks_transpose(size, (height, width), transpose)
        annotations = [_record(part, size, turn) for part in instances.annotations[name]]
    except InputError as error:
        raise InputError(f"{images / name}: {instances.path}: {error}") from None
    facts = {"image_id": number, "width": width, "height": height, "file_name": name}
    return {"image": facts, "annotations": annotations}


def _check_file(images: Path, name: str, annotations: Path) -> None:
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts or not (images / name).is_file():
        raise InputError(
            f"{images / name}: no such image in {images}, expected it because {annotations} has "
            "annotations of it: correct occluders.images, or restore the image"
        )


def _record(
    values: dict[str, Any], size: tuple[int, int], turn: Image.Transpose | None
) -> dict[str, Any]:
    """Convert an annotation of an image of `size`, height and width, to one of SA-1B."""
    try:
        found = _Annotation.model_validate(values)
        mask = turn_mask(_mask(found.segmentation, size), turn)
    except ValidationError:
        raise InputError(
            f"annotation {values.get('id')}: expected a segmentation of polygons or run lengths, "
            f"found {str(values.get('segmentation'))[:60]}: export masks, not boxes alone"
        ) from None
    except InputError as error:
        raise InputError(f"annotation {values.get('id')}: {error}: correct it") from None
    return {"segmentation": encode_rle(mask), "iscrowd": found.iscrowd, **CERTAIN}


def _mask(segmentation: list[Polygon] | _RunLengths, size: tuple[int, int]) -> np.ndarray:
    """Return the mask (H, W) bool of a segmentation; polygons are united."""
    if isinstance(segmentation, _RunLengths):
        check_size("a mask", segmentation.size, size)
        return decode_rle(uncompress_rle(size, segmentation.counts))
    mask = np.zeros(size, bool)
    for polygon in segmentation:
        _fill(mask, np.reshape(polygon, (-1, 2)))
    return mask


def _fill(mask: np.ndarray, corners: np.ndarray) -> None:
    """Set the pixels of a mask (H, W) bool whose centre lies in a polygon (C, 2) of x and y."""
    end = mask.shape[::-1]
    left, top = np.clip(np.floor(corners.min(axis=0)), 0, end).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)), 0, end).astype(int)
    rows, columns = np.mgrid[top:bottom, left:right]
    centres = np.stack([columns.ravel(), rows.ravel()], axis=1) + 0.5
    mask[top:bottom, left:right] |= Outline(corners).contains_points(centres).reshape(rows.shape)
