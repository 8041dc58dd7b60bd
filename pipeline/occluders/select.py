"""Stage: filter masks into occluders, and write the bank of their cut-outs."""

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
from pipeline.occluders.masks import Mask, Record, decode_mask, read_records, records_with_masks
from pipeline.options.occluders import BankOptions, FilterOptions

BANK = "bank"
"""Name of the shards."""
TABLE = "table.csv"
SUMMARY = "summary.json"
KEPT = "kept"
CROWD = "crowd"
"""Verdict on a mask of several objects, which no option lets pass."""


def filter_verdicts(masks: list[Mask], filters: FilterOptions) -> list[str]:
    """Return the verdict on each mask of one image.

    It is `kept`, `crowd`, or the first option that drops the mask.
    """
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
        CROWD: mask.crowd,
        "min_area": mask.area_fraction < filters.min_area or mask.area == 0,
        "max_area": mask.area_fraction > filters.max_area,
        "max_aspect": mask.aspect > filters.max_aspect,
        "max_border": mask.border > filters.max_border,
        "predicted_iou": mask.predicted_iou < filters.predicted_iou,
        "stability": mask.stability < filters.stability,
    }
    return next((name for name, fails in failed.items() if fails), KEPT)


def cut_out(image: np.ndarray, mask: Mask) -> np.ndarray:
    """Cut out an object, (h, w, 4) uint8 RGBA: transparent and black outside the mask."""
    inside = mask.pixels[..., None]
    return np.concatenate([image[mask.box] * inside, inside * np.uint8(255)], axis=2)


def shrink(cutout: np.ndarray, longest: int | None) -> np.ndarray:
    """Scale a cut-out (h, w, 4) uint8 down to a longer side of `longest` pixels; None: any side."""
    height, width = cutout.shape[:2]
    if longest is None or max(height, width) <= longest:
        return cutout
    scale = longest / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    # Pillow resizes RGBA with premultiplied colours: the black outside does not bleed in
    return np.asarray(Image.fromarray(cutout).resize(size, Image.Resampling.BILINEAR))


def select(images: Path, masks: Path, bank: Path, options: BankOptions) -> dict[str, Any]:
    """Cut the masks that pass all filters out of their images into a bank.

    The bank holds shards of PNG cut-outs, their index, table.csv with every mask (image, box and
    area in pixels, shape, quality, verdict) and summary.json: {images, unreadable: {image: reason},
    masks, kept, dropped: {option: masks}}. All masks are filtered before any image is opened, and
    one image is in memory at a time. Returns the hashes of the sources. Raises InputError for too
    few occluders (with the number that each filter dropped), for masks of other images and for
    images that have changed since.
    """
    hashes = _image_hashes(masks)
    _check_unchanged(images, hashes)
    table, summary = _filter_all(masks, options)
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
    print(f"{bank}: {summary['kept']} of {summary['masks']} masks kept; {_drop_text(summary)}")
    return {"sources": {str(images): hashes}}


def _image_hashes(masks: Path) -> dict[str, str]:
    """Return the SHA-256 of each image when its masks were made, by name."""
    images = (record["image"] for record in read_records(masks))
    return {image["file_name"]: image["sha256"] for image in images if "sha256" in image}


def _check_unchanged(images: Path, hashes: dict[str, str]) -> None:
    """Raise InputError if an image has changed since its masks were made."""
    changed = [images / name for name, found in hashes.items() if sha256(images / name) != found]
    if changed:
        raise InputError(
            f"{some(changed)}: changed since its masks were made: restore it, or run the "
            "segmentation again"
        )


def _filter_all(masks: Path, options: BankOptions) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the rows of the table and the summary."""
    table: list[dict[str, Any]] = []
    unreadable: dict[str, str] = {}
    images = 0
    for record, found in records_with_masks(masks):
        images += 1
        if "unreadable" in record:
            unreadable[record["image"]["file_name"]] = record["unreadable"]
        verdicts = filter_verdicts(found, options.filters)
        for number, (mask, verdict) in enumerate(zip(found, verdicts, strict=True)):
            table.append(_row(_key(record, number), record["image"]["file_name"], mask, verdict))
    _apply_maximum(table, options)
    counts = Counter(row["verdict"] for row in table)
    kept = counts.pop(KEPT, 0)
    summary = {"images": images, "unreadable": unreadable, "masks": len(table), "kept": kept}
    return table, summary | {"dropped": dict(counts.most_common())}


def _apply_maximum(table: list[dict[str, Any]], options: BankOptions) -> None:
    """Keep a random sample of `maximum` of the kept masks; drop the others."""
    kept = [row for row in table if row["verdict"] == KEPT]
    sampled = {row["key"] for row in sample(kept, options.maximum, options.seed)}
    for row in kept:
        if row["key"] not in sampled:
            row["verdict"] = "maximum"


def _samples(images: Path, masks: Path, kept: set[str], longest: int | None) -> Iterator[Sample]:
    """Yield the cut-outs with the keys `kept`, in the order of the masks."""
    for record in read_records(masks):
        keys = {_key(record, i): i for i in range(len(record["annotations"]))}
        chosen = {key: i for key, i in keys.items() if key in kept}
        if not chosen:
            continue
        image = _read_image(images, masks, record)
        for key, i in chosen.items():
            pixels = shrink(cut_out(image, decode_mask(record["annotations"][i])), longest)
            yield Sample(key, "png", _png(pixels), {"image": record["image"]["file_name"]})


def _key(record: Record, number: int) -> str:
    return f"{record['image']['image_id']:06d}_{number:03d}"


def _read_image(images: Path, masks: Path, record: Record) -> np.ndarray:
    """Read the image of a record, (H, W, 3) uint8; InputError if its size has changed."""
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


def _drop_text(summary: dict[str, Any]) -> str:
    """Say how many masks each option dropped, and how many images were unreadable."""
    counts = ", ".join(f"{name} {count}" for name, count in summary["dropped"].items())
    text = f"dropped by {counts}" if counts else "no filter dropped any"
    unreadable = len(summary["unreadable"])
    return text + (f"; {unreadable} of {summary['images']} images unreadable" if unreadable else "")


def _too_few(masks: Path, summary: dict[str, Any], minimum: int) -> str:
    dropped = [name for name in summary["dropped"] if name in FilterOptions.model_fields]
    advice = (
        f"loosen occluders.filters.{dropped[0]}, or give more images"
        if dropped
        else "give more images, or loosen occluders.generator"
    )
    return (
        f"{masks}: expected at least {minimum} occluders (occluders.minimum), found "
        f"{summary['kept']} among {summary['masks']} masks; {_drop_text(summary)}: {advice}"
    )
