from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from segment_anything.modeling import Sam

from benchmarks.mask_bank import stock_generator
from pipeline.occluders.generator import MaskGenerator
from pipeline.occluders.sam import build_sam, small_sam
from pipeline.options.occluders import GeneratorOptions, SamOptions
from pipeline.world.scenes import SceneMaker

BODY = Path("workflow/body/body.npz")


@pytest.fixture
def sam() -> Sam:
    """A random SAM whose predicted IoUs spread around 0.3."""
    torch.manual_seed(0)
    model = small_sam().eval().requires_grad_(False)
    last = model.mask_decoder.iou_prediction_head.layers[-1]
    last.weight.mul_(30)
    last.bias.fill_(0.3)
    return model


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)


@pytest.mark.parametrize("stability", [0.0, 0.1])
@pytest.mark.parametrize("predicted_iou", [0.0, 0.3])
def test_masks_equal_those_of_the_stock_generator(
    sam: Sam, image: np.ndarray, predicted_iou: float, stability: float
) -> None:
    options = GeneratorOptions(
        points_per_side=9,  # more than a batch
        predicted_iou=predicted_iou,
        stability=stability,
        stability_offset=1e-4,
        box_nms=1.0,
    )
    expected = stock_generator(sam, options).generate(image)
    assert len(expected) > 1
    assert MaskGenerator(sam, options)(image) == expected


def test_masks_of_the_shipped_sam_equal_those_of_the_stock_generator() -> None:
    """The mask bank of the default workflow."""
    sam, options = build_sam(SamOptions()), GeneratorOptions()
    scene = SceneMaker(BODY, [3], 128)(0)
    expected = stock_generator(sam, options).generate(scene.image)
    assert expected
    assert MaskGenerator(sam, options)(scene.image) == expected


def test_no_mask_is_upsampled_below_the_predicted_iou(
    sam: Sam, image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("upsampled")

    monkeypatch.setattr(Sam, "postprocess_masks", fail)
    sam.mask_decoder.iou_prediction_head.layers[-1].bias.fill_(-100)
    assert MaskGenerator(sam, GeneratorOptions(points_per_side=2))(image) == []


def test_mask_without_pixels_at_both_cut_offs_has_the_stability_0(
    sam: Sam, image: np.ndarray
) -> None:
    sam.mask_threshold = 1e6
    options = GeneratorOptions(points_per_side=2, predicted_iou=0.0, stability=0.0)
    annotations = MaskGenerator(sam, options)(image)
    assert len(annotations) == 3 * 2**2
    for annotation in annotations:
        assert annotation["segmentation"]["counts"] == [90 * 70]
        assert annotation["bbox"] == [0, 0, 0, 0]
        assert annotation["area"] == annotation["stability_score"] == 0
