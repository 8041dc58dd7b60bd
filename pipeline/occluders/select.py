"""Which of SAM's masks become occluders, and the bank of their cut-outs."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from pipeline.cli import run_stage
from pipeline.data.shards import Sample, write_index, write_shards
from pipeline.errors import InputError
from pipeline.files import atomic_file, atomic_folder
from pipeline.occluders.images import read_image
from pipeline.options import FilterOptions

BANK = "bank"
"""Name of the shards."""
TABLE = "table.csv"
KEPT = "kept"


class Mask(NamedTuple):
    """A mask of one image and what it is judged by."""

    pixels: np.ndarray
    """(H, W) bool."""
    x: int
    y: int
    width: int
    height: int
    area: int
    """Pixels; x, y, width and height are those of its box."""
    border: float
    """Share of its outline that lies on the image border."""
    predicted_iou: float
    stability: float

    @property
    def aspect(self) -> float:
        """Longer side of the box over the shorter one."""
        return max(self.width, self.height) / min(self.width, self.height)


def decode_rle(segmentation: dict[str, Any]) -> np.ndarray:
    """Mask (H, W) bool of COCO's uncompressed run lengths: columns first, beginning with zeros.

    Raises InputError for compressed ones and for lengths that do not fill the mask.
    """
    (height, width), counts = segmentation["size"], segmentation["counts"]
    if not isinstance(counts, list) or sum(counts) != height * width:
        raise InputError(
            f"expected run lengths that fill {height} x {width} pixels, found {str(counts)[:40]!r}"
        )
    runs = np.arange(len(counts)) % 2 == 1
    return np.repeat(runs, counts).reshape(width, height).T


def measure(annotation: dict[str, Any]) -> Mask:
    """What the filters look at in an SA-1B annotation; an empty mask has a box of one pixel."""
    pixels = decode_rle(annotation["segmentation"])
    columns, rows = np.flatnonzero(pixels.any(0)), np.flatnonzero(pixels.any(1))
    x, right = (columns[0], columns[-1]) if len(columns) else (0, 0)
    y, bottom = (rows[0], rows[-1]) if len(rows) else (0, 0)
    return Mask(
        pixels=pixels,
        x=int(x),
        y=int(y),
        width=int(right - x + 1),
        height=int(bottom - y + 1),
        area=int(pixels.sum()),
        border=border_share(pixels),
        predicted_iou=float(annotation["predicted_iou"]),
        stability=float(annotation["stability_score"]),
    )


def border_share(mask: np.ndarray) -> float:
    """Share of the outline pixels of `mask` (H, W) bool that lie on the image border.

    An outline pixel has one of its four neighbours outside the mask or the image.
    """
    around = np.pad(mask, 1)
    inner = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    outline = mask & ~inner
    total = int(outline.sum())
    outline[1:-1, 1:-1] = False
    return int(outline.sum()) / max(1, total)


def judge(masks: list[Mask], filters: FilterOptions) -> list[str]:
    """The verdict on each mask of one image: `kept`, or the first option that drops it."""
    verdicts = [_verdict(mask, filters) for mask in masks]
    best_first = sorted(
        (i for i, verdict in enumerate(verdicts) if verdict == KEPT),
        key=lambda i: (-masks[i].predicted_iou, -masks[i].stability, i),
    )
    better: list[np.ndarray] = []
    for i in best_first:
        pixels = masks[i].pixels
        if any(mask_iou(pixels, other) > filters.duplicate_iou for other in better):
            verdicts[i] = "duplicate_iou"
        else:
            better.append(pixels)
    return verdicts


def _verdict(mask: Mask, filters: FilterOptions) -> str:
    share = mask.area / mask.pixels.size
    failed = {
        "min_area": share < filters.min_area or mask.area == 0,
        "max_area": share > filters.max_area,
        "max_aspect": mask.aspect > filters.max_aspect,
        "max_border": mask.border > filters.max_border,
        "predicted_iou": mask.predicted_iou < filters.predicted_iou,
        "stability": mask.stability < filters.stability,
    }
    return next((name for name, fails in failed.items() if fails), KEPT)


def mask_iou(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two masks (H, W) bool; 0 where both are empty."""
    return int((first & second).sum()) / max(1, int((first | second).sum()))


def cut_out(image: np.ndarray, mask: Mask) -> np.ndarray:
    """The object alone, (h, w, 4) uint8 RGBA: transparent and black outside the mask."""
    rows, columns = slice(mask.y, mask.y + mask.height), slice(mask.x, mask.x + mask.width)
    inside = mask.pixels[rows, columns, None]
    return np.concatenate([image[rows, columns] * inside, inside * np.uint8(255)], axis=2)


def select(images: Path, masks: Path, bank: Path, filters: FilterOptions, minimum: int) -> None:
    """Cut the masks that pass all filters out of their images into a bank of at least `minimum`.

    The bank holds shards of PNG cut-outs, their index, and table.csv with every mask: its image,
    box and area in pixels, shape, quality and verdict. Raises InputError for a bank that is too
    small, with what each filter dropped, and for masks that do not belong to the images.
    """
    table: list[dict[str, Any]] = []
    with atomic_folder(bank) as folder:
        write_index(folder, write_shards(folder, BANK, _samples(images, masks, filters, table)))
        counts = Counter(row["verdict"] for row in table)
        if counts[KEPT] < max(1, minimum):
            raise InputError(_too_few(masks, counts, minimum))
        with atomic_file(folder / TABLE) as partial:
            pd.DataFrame(table).to_csv(partial, index=False, lineterminator="\n")
    print(f"{bank}: {counts[KEPT]} of {len(table)} masks kept")


def _samples(
    images: Path, masks: Path, filters: FilterOptions, table: list[dict[str, Any]]
) -> Iterator[Sample]:
    """The kept cut-outs in order; a row for every mask is added to `table` on the way."""
    for facts, found in _read_masks(masks):
        name, image = facts["file_name"], read_image(images, facts["file_name"])
        if image.shape[:2] != (facts["height"], facts["width"]):
            raise InputError(
                f"{images / name}: expected {facts['width']} x {facts['height']} pixels as in "
                f"{masks}, found {image.shape[1]} x {image.shape[0]}: run the segmentation again"
            )
        for number, (mask, verdict) in enumerate(zip(found, judge(found, filters), strict=True)):
            key = f"{facts['image_id']:06d}_{number:03d}"
            table.append(_row(key, name, mask, verdict))
            if verdict == KEPT:
                yield Sample(key, "png", _png(cut_out(image, mask)), {"image": name})


def _read_masks(path: Path) -> Iterator[tuple[dict[str, Any], list[Mask]]]:
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                record = json.loads(line)
                found = [measure(annotation) for annotation in record["annotations"]]
                yield record["image"], found
            except (InputError, KeyError, ValueError) as error:
                raise InputError(
                    f"{path}: line {number} is not a record of masks ({error}): "
                    "run the segmentation again"
                ) from None


def _row(key: str, image: str, mask: Mask, verdict: str) -> dict[str, Any]:
    return {
        "key": key,
        "image": image,
        "x": mask.x,
        "y": mask.y,
        "width": mask.width,
        "height": mask.height,
        "area": mask.area,
        "aspect": round(mask.aspect, 4),
        "border": round(mask.border, 4),
        "predicted_iou": round(mask.predicted_iou, 4),
        "stability": round(mask.stability, 4),
        "verdict": verdict,
    }


def _png(pixels: np.ndarray) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


def _too_few(masks: Path, counts: Counter[str], minimum: int) -> str:
    total = counts.total()
    found = f"{masks}: expected at least {minimum} occluders (occluders.minimum), found "
    dropped = [(name, count) for name, count in counts.most_common() if name != KEPT]
    if not dropped:
        return (
            f"{found}{counts[KEPT]}, though no filter dropped any of the {total} masks: give more "
            "images, or loosen occluders.generator"
        )
    listed = ", ".join(f"{name} {count}" for name, count in dropped)
    return (
        f"{found}{counts[KEPT]} among {total} masks; dropped by {listed}: loosen "
        f"occluders.filters.{dropped[0][0]}, or give more images"
    )


if __name__ == "__main__":
    run_stage(select)
