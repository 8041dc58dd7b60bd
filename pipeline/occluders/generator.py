"""segment-anything's automatic mask generator, without the cost of masks that it drops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from segment_anything import SamAutomaticMaskGenerator, SamPredictor
from segment_anything.modeling import Sam
from torch import Tensor

from pipeline.options.occluders import GeneratorOptions


class SelectivePredictor(SamPredictor):
    """Upsample only the masks whose predicted IoU is above `threshold`.

    The generator drops the others right after, and with a small model most of its time goes into
    upsampling them to the size of the image. They are empty here: logits of minus infinity.
    """

    def __init__(self, model: Sam, threshold: float) -> None:
        super().__init__(model)
        self.threshold = threshold

    @torch.no_grad()
    def predict_torch(
        self, point_coords: Tensor, point_labels: Tensor, **_: Any
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits (n, 3, H, W), predicted IoUs (n, 3), low-resolution logits of n points."""
        sparse, dense = self.model.prompt_encoder((point_coords, point_labels), None, None)
        positions = self.model.prompt_encoder.get_dense_pe()
        low, quality = self.model.mask_decoder(self.features, positions, sparse, dense, True)
        selected = quality > self.threshold
        masks = low.new_full((*low.shape[:2], *self.original_size), -math.inf)
        if selected.any():
            sizes = self.input_size, self.original_size
            masks[selected] = self.model.postprocess_masks(low[selected][:, None], *sizes)[:, 0]
        return masks, quality, low


def make_generator(sam: Sam, options: GeneratorOptions) -> SamAutomaticMaskGenerator:
    """Create the generator; its masks are uncompressed run lengths."""
    generator = SamAutomaticMaskGenerator(
        sam,
        points_per_side=options.points_per_side,
        pred_iou_thresh=options.predicted_iou,
        stability_score_thresh=options.stability,
        stability_score_offset=options.stability_offset,
        box_nms_thresh=options.box_nms,
        output_mode="uncompressed_rle",
    )
    if options.predicted_iou > 0:  # the generator takes 0 as no filter
        generator.predictor = SelectivePredictor(sam, options.predicted_iou)
    return generator


def find_masks(generator: SamAutomaticMaskGenerator, image: np.ndarray) -> list[dict[str, Any]]:
    """Return SA-1B annotations of the masks that the generator finds in an image (H, W, 3) uint8.

    A mask that is empty at both cut-offs has the stability 0 / 0, which becomes 0.
    """
    annotations = generator.generate(image)
    for annotation in annotations:
        if math.isnan(annotation["stability_score"]):
            annotation["stability_score"] = 0.0
    return annotations
