"""Stage: measure the small SAM and the filters on held-out scenes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from segment_anything import SamPredictor
from tqdm import tqdm

from pipeline.files import sha256, write_json
from pipeline.occluders.generator import MaskGenerator
from pipeline.occluders.masks import decode_mask, mask_iou
from pipeline.occluders.sam import build_sam
from pipeline.occluders.select import KEPT, filter_verdicts
from pipeline.options.occluders import OccluderOptions, SamOptions
from pipeline.pretraining.sam_scenes import HELD_OUT, RENDERED_SIDE
from pipeline.world.scenes import Scene, SceneMaker

_MIN_IOU = 0.5  # of a mask that matches an object
_MIN_AREA = 0.005  # visible fraction of the scene: smaller objects are ignored


def report_sam(
    checkpoint: Path, body: Path, report: Path, seed: int = 0, scenes: int = 100
) -> None:
    """Measure the small SAM on held-out rendered scenes, every second one hard, and write JSON.

    For easy, hard and all scenes: `precision`, the fraction of the kept masks with an IoU of at
    least 0.5 with an object, and their `mask_iou`; `recall`, the fraction of the objects with such
    a mask; `point_iou` of the mask with the highest predicted IoU for a random point in each
    object. Masks are generated and filtered by the default options of the bank.
    """
    torch.set_flush_denormal(True)
    sam = build_sam(SamOptions(model="small", checkpoint=str(checkpoint)))
    options, predictor = OccluderOptions(), SamPredictor(sam)
    find = MaskGenerator(sam, options.generator)
    render = SceneMaker(body, [HELD_OUT, seed], RENDERED_SIDE)
    found: list[dict[str, list[float]]] = []
    for index in tqdm(range(scenes), "report SAM", mininterval=5, dynamic_ncols=True):
        scene = render(index)
        objects = _objects(scene)
        masks = [decode_mask(annotation) for annotation in find(scene.image)]
        verdicts = filter_verdicts(masks, options.filters)
        kept = [m.full() for m, verdict in zip(masks, verdicts, strict=True) if verdict == KEPT]
        rng = np.random.default_rng([HELD_OUT, seed, index, 1])
        found.append(_compare(kept, objects) | _point_ious(predictor, scene, objects, rng))
    figures: dict[str, Any] = {
        "easy": summarise(found[::2]),
        "hard": summarise(found[1::2]),
        "all": summarise(found),
        "checkpoint": sha256(checkpoint),
        "generator": options.generator.model_dump(),
        "filters": options.filters.model_dump(),
    }
    write_json(report, figures)
    print(f"{report}: precision {figures['all']['precision']:.3f} on {scenes} held-out scenes")


def _objects(scene: Scene) -> list[np.ndarray]:
    """Return the visible pixels (S, S) bool of each object that is large enough."""
    masks = [scene.instances == number + 1 for number in range(len(scene.kinds))]
    return [mask for mask in masks if mask.mean() >= _MIN_AREA]


def _compare(kept: list[np.ndarray], objects: list[np.ndarray]) -> dict[str, list[float]]:
    """Return the best IoU of each kept mask over the objects, and of each object over the masks."""
    table = np.array([[mask_iou(mask, target) for target in objects] for mask in kept])
    table = table.reshape(len(kept), len(objects))
    return {
        "masks": table.max(1, initial=0).tolist(),
        "objects": table.max(0, initial=0).tolist(),
    }


def _point_ious(
    predictor: SamPredictor, scene: Scene, objects: list[np.ndarray], rng: np.random.Generator
) -> dict[str, list[float]]:
    predictor.set_image(scene.image)
    ious = []
    for target in objects:
        y, x = rng.choice(np.argwhere(target))
        masks, quality, _ = predictor.predict(np.array([[x, y]]), np.array([1]))
        ious.append(mask_iou(masks[int(np.argmax(quality))], target))
    return {"points": ious}


def summarise(found: Iterable[dict[str, list[float]]]) -> dict[str, float | int]:
    """Summarise scenes by the IoUs of their `masks`, `objects` and `points`."""
    scenes = list(found)
    masks, objects, points = (
        np.array([iou for scene in scenes for iou in scene[name]])
        for name in ("masks", "objects", "points")
    )
    return {
        "scenes": len(scenes),
        "kept": len(masks),
        "objects": len(objects),
        "precision": _mean(masks >= _MIN_IOU),
        "mask_iou": _mean(masks),
        "recall": _mean(objects >= _MIN_IOU),
        "point_iou": _mean(points),
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0
