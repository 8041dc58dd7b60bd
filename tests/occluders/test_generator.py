from __future__ import annotations

import numpy as np
import pytest
import torch
from segment_anything import SamAutomaticMaskGenerator

from pipeline.occluders.generator import find_masks, make_generator
from pipeline.occluders.sam import small_sam
from pipeline.options.occluders import GeneratorOptions


@pytest.mark.parametrize("threshold", [0.01, 0.3, 0.99])
def test_masks_equal_those_of_the_original_generator(threshold: float) -> None:
    torch.manual_seed(0)
    sam = small_sam().eval()
    last = sam.mask_decoder.iou_prediction_head.layers[-1]
    with torch.no_grad():  # spread the predicted IoUs of the random model around 0.3
        last.weight.mul_(30)
        last.bias.fill_(0.3)
    options = GeneratorOptions(
        points_per_side=4,
        predicted_iou=threshold,
        stability=0.1,
        stability_offset=1e-4,
        box_nms=1.0,
    )
    stock = SamAutomaticMaskGenerator(
        sam,
        points_per_side=4,
        pred_iou_thresh=threshold,
        stability_score_thresh=0.1,
        stability_score_offset=1e-4,
        box_nms_thresh=1.0,
        output_mode="uncompressed_rle",
    )
    image = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    expected = stock.generate(image)
    assert find_masks(make_generator(sam, options), image) == expected
    stock.pred_iou_thresh = 0
    assert 0 < len(expected) < len(stock.generate(image))
