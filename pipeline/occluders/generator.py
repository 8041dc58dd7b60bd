"""segment-anything's automatic mask generator, spared the masks that it would throw away."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from segment_anything import SamAutomaticMaskGenerator, SamPredictor
from segment_anything.modeling import Sam
from torch import Tensor

from pipeline.options.occluders import GeneratorOptions


class ThriftyPredictor(SamPredictor):
    """Upsamples only the masks whose predicted IoU is above `threshold`.

    The generator drops the others right afterwards, and upsampling them to the size of the image
    is most of its work with a small model. They come out empty, with logits of minus infinity.
    """

    def __init__(self, model: Sam, threshold: float) -> None:
        super().__init__(model)
        self.threshold = threshold

    @torch.no_grad()
    def predict_torch(
        self, point_coords: Tensor, point_labels: Tensor, **_: Any
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (n, 3, H, W), predicted IoUs (n, 3) and low-resolution logits of n points."""
        sparse, dense = self.model.prompt_encoder((point_coords, point_labels), None, None)
        positions = self.model.prompt_encoder.get_dense_pe()
        low, quality = self.model.mask_decoder(self.features, positions, sparse, dense, True)
        passed = quality > self.threshold
        masks = low.new_full((*low.shape[:2], *self.original_size), -math.inf)
        if passed.any():
            sizes = self.input_size, self.original_size
            masks[passed] = self.model.postprocess_masks(low[passed][:, None], *sizes)[:, 0]
        return masks, quality, low


def make_generator(sam: Sam, options: GeneratorOptions) -> SamAutomaticMaskGenerator:
    """The generator with our options; its masks are uncompressed run lengths."""
    generator = SamAutomaticMaskGenerator(
        sam,
        points_per_side=options.points_per_side,
        pred_iou_thresh=options.predicted_iou,
        stability_score_thresh=options.stability,
        stability_score_offset=options.stability_offset,
        box_nms_thresh=options.box_nms,
        output_mode="uncompressed_rle",
    )
    if options.predicted_iou > 0:  # the generator takes 0 for no filter at all
        generator.predictor = ThriftyPredictor(sam, options.predicted_iou)
    return generator


def find_masks(generator: SamAutomaticMaskGenerator, image: np.ndarray) -> list[dict[str, Any]]:
    """SA-1B annotations of the masks that the generator finds in an image (H, W, 3) uint8.

    The stability of a mask that is empty at both cut-offs is 0 / 0: it counts as unstable.
    """
    annotations = generator.generate(image)
    for annotation in annotations:
        if math.isnan(annotation["stability_score"]):
            annotation["stability_score"] = 0.0
    return annotations
