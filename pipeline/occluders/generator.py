"""The masks of segment-anything's automatic mask generator, without the cost of those it drops.

The stock generator (segment_anything.SamAutomaticMaskGenerator) upsamples every mask to the size of
the image, and then filters by the predicted IoU, which needs no pixels. Here that filter is first,
and few masks are upsampled at a time. Masks and scores equal the stock generator's to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from segment_anything import SamPredictor
from segment_anything.modeling import Sam
from segment_anything.utils.amg import (
    batch_iterator,
    build_point_grid,
    calculate_stability_score,
)
from torchvision.ops import batched_nms

from pipeline.occluders.attention import attend_in_blocks
from pipeline.occluders.decoder import LowMasks, PointDecoder
from pipeline.occluders.masks import bounding_box
from pipeline.occluders.rle import encode_rle
from pipeline.options.occluders import GeneratorOptions

_BLOCK = {"cpu": 1, "cuda": 64}
"""Masks that are upsampled together: on a CPU one fits the cache."""


class _Found(NamedTuple):
    """A mask whose scores pass the filters."""

    mask: np.ndarray
    """(H, W) bool"""
    point: np.ndarray
    """(2,) float64, x and y in pixels."""
    predicted_iou: float
    stability: float


class MaskGenerator:
    """Finds the masks of an image from a grid of points.

    On a CPU the attention of the model then works in blocks, see pipeline.occluders.attention.
    """

    def __init__(self, sam: Sam, options: GeneratorOptions) -> None:
        self._sam, self._options = sam, options
        if sam.device.type == "cpu":
            attend_in_blocks(sam.image_encoder)
        self._predictor = SamPredictor(sam)
        self._grid = build_point_grid(options.points_per_side)

    @torch.inference_mode()
    def __call__(self, image: np.ndarray) -> list[dict[str, Any]]:
        """Return SA-1B annotations of the masks of an image (H, W, 3) uint8, best first.

        A mask that is empty at both cut-offs of the stability has the stability 0.
        """
        self._predictor.set_image(image)
        annotations = [_annotation(found) for found in self._scored_masks(*image.shape[:2])]
        return self._without_duplicates(annotations)

    def _scored_masks(self, height: int, width: int) -> Iterator[_Found]:
        """Yield the masks that pass the scores, in the order of the points."""
        predictor, options = self._predictor, self._options
        decode = PointDecoder(self._sam, predictor.features, options.predicted_iou)
        points = self._grid * (width, height)
        for (batch,) in batch_iterator(decode.batch_size, points):
            prompts = predictor.transform.apply_coords(batch, (height, width))
            low = decode(torch.as_tensor(prompts, device=predictor.device))
            for block in batch_iterator(_BLOCK[predictor.device.type], *low):
                yield from self._stable_masks(LowMasks(*block), batch)

    def _stable_masks(self, low: LowMasks, points: np.ndarray) -> Iterator[_Found]:
        """Upsample masks, and yield those that are stable."""
        sizes = self._predictor.input_size, self._predictor.original_size
        logits = self._sam.postprocess_masks(low.logits, *sizes)[:, 0]
        cut, offset = self._sam.mask_threshold, self._options.stability_offset
        stability = calculate_stability_score(logits, cut, offset).nan_to_num()  # 0 / 0
        stable = stability >= self._options.stability
        yield from map(
            _Found,
            (logits[stable] > cut).cpu().numpy(),
            points[low.points[stable].cpu().numpy()],
            low.predicted_iou[stable].tolist(),
            stability[stable].tolist(),
        )

    def _without_duplicates(self, annotations: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Drop masks whose box overlaps that of a better one; best first."""
        boxes = torch.tensor([annotation["bbox"] for annotation in annotations]).view(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        ious = torch.tensor([annotation["predicted_iou"] for annotation in annotations])
        one_class = torch.zeros(len(annotations))
        kept = batched_nms(boxes.float(), ious, one_class, self._options.box_nms)
        return [annotations[i] for i in kept.tolist()]


def _annotation(found: _Found) -> dict[str, Any]:
    """Describe a mask in the format of SA-1B."""
    height, width = found.mask.shape
    left, top, right, bottom = bounding_box(found.mask)
    segmentation = encode_rle(found.mask)
    return {
        "segmentation": segmentation,
        "area": sum(segmentation["counts"][1::2]),
        "bbox": [left, top, right - left, bottom - top],
        "predicted_iou": found.predicted_iou,
        "point_coords": [found.point.tolist()],
        "stability_score": found.stability,
        "crop_box": [0, 0, width, height],
    }
