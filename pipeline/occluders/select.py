"""Which masks become occluders, and the bank of their cut-outs."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from pipeline.data.shards import Sample, write_index, write_shards
from pipeline.errors import InputError, some
from pipeline.files import atomic_file, atomic_folder, sha256, write_json
from pipeline.occluders.images import read_image, sample
from pipeline.occluders.masks import Mask, Record, measure, measured_records, read_records
from pipeline.options.occluders import BankOptions, FilterOptions

BANK = "bank"
"""Name of the shards."""
TABLE = "table.csv"
SUMMARY = "summary.json"
KEPT = "kept"


def judge(masks: list[Mask], filters: FilterOptions) -> list[str]:
    """The verdict on each mask of one image: `kept`, or the first option that drops it."""
    verdicts = [_verdict(mask, filters) for mask in masks]
    best_first = sorted(
        (i for i, verdict in enumerate(verdicts) if verdict == KEPT),
        key=lambda i: (-masks[i].predicted_iou, -masks[i].stability, i),
    )
    better: list[Mask] = []
    for i in best_first:
        if any(masks[i].iou(other) > filters.duplicate_iou for other in better):
            verdicts[i] = "duplicate_iou"
        else:
            better.append(masks[i])
    return verdicts


def _verdict(mask: Mask, filters: FilterOptions) -> str:
    failed = {
        "min_area": mask.share < filters.min_area or mask.area == 0,
        "max_area": mask.share > filters.max_area,
        "max_aspect": mask.aspect > filters.max_aspect,
        "max_border": mask.border > filters.max_border,
        "predicted_iou": mask.predicted_iou < filters.predicted_iou,
        "stability": mask.stability < filters.stability,
    }
    return next((name for name, fails in failed.items() if fails), KEPT)


def cut_out(image: np.ndarray, mask: Mask) -> np.ndarray:
    """The object alone, (h, w, 4) uint8 RGBA: transparent and black outside the mask."""
    inside = mask.pixels[..., None]
    return np.concatenate([image[mask.box] * inside, inside * np.uint8(255)], axis=2)


def shrink(cutout: np.ndarray, longest: int | None) -> np.ndarray:
    """A cut-out (h, w, 4) uint8 whose longer side is at most `longest` pixels; None: as it is."""
    height, width = cutout.shape[:2]
    if longest is None or max(height, width) <= longest:
        return cutout
    scale = longest / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    # Pillow resizes RGBA with premultiplied colours: the black outside does not bleed in
    return np.asarray(Image.fromarray(cutout).resize(size, Image.Resampling.BILINEAR))


def select(images: Path, masks: Path, bank: Path, options: BankOptions) -> dict[str, Any]:
    """Cut the masks that pass all filters out of their images into a bank.

    The bank holds shards of PNG cut-outs, their index,
    table.csv with every mask (its image, box and area in pixels, shape, quality and verdict) and
    summary.json: {images, unreadable: {image: why}, masks, kept, dropped: {option: masks}}. The
    masks are judged before any image is opened, and then cut out of one image at a time. Returns
    what was read. Raises InputError for a bank that is too small, with what each filter dropped,
    for masks that do not belong to the images and for images that were changed since.
    """
    hashes = _image_hashes(masks)
    _check_unchanged(images, hashes)
    table, summary = _judge_all(masks, options)
    if summary["kept"] < options.minimum:
        raise InputError(_too_few(masks, summary, options.minimum))
    with atomic_folder(bank) as folder:
        kept = {row["key"] for row in table if row["verdict"] == KEPT}
        samples = _samples(images, masks, kept, options.longest_side)
        rows = write_shards(folder, BANK, samples)
        with atomic_file(folder / TABLE) as partial:
            pd.DataFrame(table).to_csv(partial, index=False, lineterminator="\n")
        write_json(folder / SUMMARY, summary)
        write_index(folder, rows)
    print(f"{bank}: {summary['kept']} of {summary['masks']} masks kept; {_losses(summary)}")
    return {"sources": {str(images): hashes}}


def _image_hashes(masks: Path) -> dict[str, str]:
    """SHA-256 of each image that was there when its masks were made, by name."""
    images = (record["image"] for record in read_records(masks))
    return {image["file_name"]: image["sha256"] for image in images if "sha256" in image}


def _check_unchanged(images: Path, hashes: dict[str, str]) -> None:
    """The images must be those that the masks are of."""
    changed = [images / name for name, found in hashes.items() if sha256(images / name) != found]
    if changed:
        raise InputError(
            f"{some(changed)}: changed since its masks were made: put it back, or make the masks "
            "again"
        )


def _judge_all(masks: Path, options: BankOptions) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of the table and the summary."""
    table: list[dict[str, Any]] = []
    unreadable: dict[str, str] = {}
    images = 0
    for record, found in measured_records(masks):
        images += 1
        if "unreadable" in record:
            unreadable[record["image"]["file_name"]] = record["unreadable"]
        verdicts = judge(found, options.filters)
        for number, (mask, verdict) in enumerate(zip(found, verdicts, strict=True)):
            table.append(_row(_key(record, number), record["image"]["file_name"], mask, verdict))
    _sample_kept(table, options)
    counts = Counter(row["verdict"] for row in table)
    kept = counts.pop(KEPT, 0)
    summary = {"images": images, "unreadable": unreadable, "masks": len(table), "kept": kept}
    return table, summary | {"dropped": dict(counts.most_common())}


def _sample_kept(table: list[dict[str, Any]], options: BankOptions) -> None:
    """Drop what `maximum` does not leave room for, drawn from all the kept masks."""
    kept = [row for row in table if row["verdict"] == KEPT]
    drawn = {row["key"] for row in sample(kept, options.maximum, options.seed)}
    for row in kept:
        if row["key"] not in drawn:
            row["verdict"] = "maximum"


def _samples(images: Path, masks: Path, kept: set[str], longest: int | None) -> Iterator[Sample]:
    """The cut-outs with the keys `kept`, in the order of the file of masks."""
    for record in read_records(masks):
        keys = {_key(record, i): i for i in range(len(record["annotations"]))}
        chosen = {key: i for key, i in keys.items() if key in kept}
        if not chosen:
            continue
        image = _read_image(images, masks, record)
        for key, i in chosen.items():
            pixels = shrink(cut_out(image, measure(record["annotations"][i])), longest)
            yield Sample(key, "png", _png(pixels), {"image": record["image"]["file_name"]})


def _key(record: Record, number: int) -> str:
    return f"{record['image']['image_id']:06d}_{number:03d}"


def _read_image(images: Path, masks: Path, record: Record) -> np.ndarray:
    """The image of a record, (H, W, 3) uint8: it must have the size that was segmented."""
    facts = record["image"]
    image = read_image(images, facts["file_name"])
    if image.shape[:2] != (facts["height"], facts["width"]):
        raise InputError(
            f"{images / facts['file_name']}: expected {facts['width']} x {facts['height']} pixels "
            f"as in {masks}, found {image.shape[1]} x {image.shape[0]}: run the segmentation again"
        )
    return image


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


def _losses(summary: dict[str, Any]) -> str:
    """What was dropped by which option, and how many images gave nothing."""
    dropped = ", ".join(f"{name} {count}" for name, count in summary["dropped"].items())
    lost = f"dropped by {dropped}" if dropped else "no filter dropped any"
    bad = summary["unreadable"]
    return lost + (f"; {len(bad)} of {summary['images']} images unreadable" if bad else "")


def _too_few(masks: Path, summary: dict[str, Any], minimum: int) -> str:
    dropped = [name for name in summary["dropped"] if name != "maximum"]
    cure = (
        f"loosen occluders.filters.{dropped[0]}, or give more images"
        if dropped
        else "give more images, or loosen occluders.generator"
    )
    return (
        f"{masks}: expected at least {minimum} occluders (occluders.minimum), found "
        f"{summary['kept']} among {summary['masks']} masks; {_losses(summary)}: {cure}"
    )
