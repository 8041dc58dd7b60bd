"""Masks of images: the file format, and the measures that filters use.

masks.jsonl has a line per image, in the format of SA-1B (arXiv 2304.02643): image {image_id, width,
height, file_name, sha256} and annotations [{segmentation, bbox, area, predicted_iou,
stability_score, crop_box, point_coords}]. file_name is relative to the folder of images, run
lengths are uncompressed. Masks of COCO have iscrowd too. An unreadable image has image {image_id,
file_name, and sha256 if the file exists}, no annotations, and the reason: unreadable.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.errors import InputError
from pipeline.occluders.rle import decode_rle

Record = dict[str, Any]
"""A line of the file."""


def unreadable_record(number: int, name: str, reason: str) -> Record:
    """Make the record of an unreadable image."""
    facts = {"image_id": number, "file_name": name}
    return {"image": facts, "annotations": [], "unreadable": reason}


def record_line(record: Record) -> str:
    """Format a record as a line of the file."""
    return json.dumps(record) + "\n"


def read_records(path: Path) -> Iterator[Record]:
    """Read the records of a file, one at a time; InputError names an invalid line."""
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                record = json.loads(line)
                _ = record["image"]["image_id"], record["image"]["file_name"], record["annotations"]
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(_invalid_record(path, number, error)) from None
            yield record


def records_with_masks(path: Path) -> Iterator[tuple[Record, list[Mask]]]:
    """Read the records of a file with their decoded masks; InputError names an invalid line."""
    for number, record in enumerate(read_records(path), start=1):
        try:
            masks = [decode_mask(annotation) for annotation in record["annotations"]]
        except (InputError, KeyError, TypeError, ValueError) as error:
            raise InputError(_invalid_record(path, number, error)) from None
        yield record, masks


def _invalid_record(path: Path, line: int, error: Exception) -> str:
    return (
        f"{path}: line {line}: expected a record of masks, found {error!r}: run the segmentation "
        "again"
    )


class Mask(NamedTuple):
    """A mask of an image and the measures that filters use."""

    pixels: np.ndarray
    """(height, width) bool, its bounding box only: hundreds of full masks would fill memory."""
    size: tuple[int, int]
    """Height and width of the image."""
    x: int
    y: int
    """Pixels; x and y are of the top left corner of its box."""
    area: int
    """Pixels."""
    border: float
    """Fraction of its outline on the image border."""
    predicted_iou: float
    stability: float
    crowd: bool = False
    """COCO: several objects in one mask."""

    @property
    def height(self) -> int:
        """Number of rows of its box."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """Number of columns of its box."""
        return self.pixels.shape[1]

    @property
    def aspect(self) -> float:
        """Longer side of its box over the shorter one."""
        return max(self.width, self.height) / min(self.width, self.height)

    @property
    def area_fraction(self) -> float:
        """Fraction of the image that it covers."""
        return self.area / (self.size[0] * self.size[1])

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of its box in the image."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    def full(self) -> np.ndarray:
        """Return the mask (H, W) bool of the whole image."""
        canvas = np.zeros(self.size, bool)
        canvas[self.box] = self.pixels
        return canvas

    def iou(self, other: Mask) -> float:
        """Return the intersection over union with a mask of the same image; 0 if both are empty."""
        top, left = max(self.y, other.y), max(self.x, other.x)
        bottom = max(top, min(self.y + self.height, other.y + other.height))
        right = max(left, min(self.x + self.width, other.x + other.width))
        common = [
            mask.pixels[top - mask.y : bottom - mask.y, left - mask.x : right - mask.x]
            for mask in (self, other)
        ]
        both = int((common[0] & common[1]).sum())
        return both / max(1, self.area + other.area - both)


def decode_mask(annotation: dict[str, Any]) -> Mask:
    """Decode the mask of an SA-1B annotation; an empty mask has a box of one pixel."""
    whole = decode_rle(annotation["segmentation"])
    x, y, right, bottom = bounding_box(whole)
    pixels = whole[y : bottom + 1, x : right + 1].copy()
    return Mask(
        pixels=pixels,
        size=(whole.shape[0], whole.shape[1]),
        x=x,
        y=y,
        area=int(pixels.sum()),
        border=border_fraction(pixels, x, y, whole.shape),
        predicted_iou=float(annotation["predicted_iou"]),
        stability=float(annotation["stability_score"]),
        crowd=bool(annotation.get("iscrowd", False)),
    )


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom pixel of a mask (H, W) bool; all 0 if it is empty."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if not len(rows):
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def border_fraction(pixels: np.ndarray, x: int, y: int, size: tuple[int, ...]) -> float:
    """Compute the fraction of the outline pixels of a mask on the border of its image.

    `pixels` (h, w) bool is the mask's box, with its corner at (x, y) in an image of `size` (H, W).
    An outline pixel has one of its four neighbours outside the mask or the image.
    """
    around = np.pad(pixels, 1)
    inner = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    outline = pixels & ~inner
    total = int(outline.sum())
    outline[1 if y == 0 else 0 : size[0] - 1 - y, 1 if x == 0 else 0 : size[1] - 1 - x] = False
    return int(outline.sum()) / max(1, total)


def mask_iou(first: np.ndarray, second: np.ndarray) -> float:
    """Compute the intersection over union of two masks (H, W) bool; 0 if both are empty."""
    return int((first & second).sum()) / max(1, int((first | second).sum()))
