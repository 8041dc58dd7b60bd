"""Measure the search for the masks of an image against segment-anything's own generator.

    OMP_NUM_THREADS=1 python -m benchmarks.mask_bank                 # the shipped SAM
    OMP_NUM_THREADS=1 python -m benchmarks.mask_bank --model vit_b --points-per-side 32 --images 1
    python -m benchmarks.mask_bank --model vit_h --points-per-side 32 --device cuda

Both find the masks of the same rendered scenes in turn, and all masks and scores are compared. The
options are the defaults. The official models have random weights, scaled so that masks pass the
filters, and keep overlapping masks. Times are CPU times of the process, on a GPU elapsed ones; the
best round counts.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from functools import wraps
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from segment_anything import SamAutomaticMaskGenerator, SamPredictor, sam_model_registry
from segment_anything.modeling import MaskDecoder, Sam

from benchmarks.rows import Row
from benchmarks.timing import clock_of
from pipeline.device import choose_device
from pipeline.occluders.decoder import PointDecoder
from pipeline.occluders.generator import MaskGenerator
from pipeline.occluders.rle import decode_rle
from pipeline.occluders.sam import build_sam
from pipeline.options.compute import ComputeOptions
from pipeline.options.occluders import GeneratorOptions, SamOptions
from pipeline.world.scenes import SceneMaker

WIDTH, HEIGHT = 640, 480
BODY = Path("workflow/body/body.npz")
STAGES = {
    (SamPredictor, "set_image"): "image encoder",
    (MaskDecoder, "forward"): "mask decoder",
    (PointDecoder, "__call__"): "mask decoder",
    (Sam, "postprocess_masks"): "upsampling",
}
GOALS = {"cpu": {"small": ">= 5 x", "vit_b": ">= 2 x"}, "cuda": {}}
REST = "scores, boxes, run lengths"
TOTAL = "total"
LOGIT_SCALE, IOU_SCALE = 20.0, 5.0
"""Factors of a random network's last layers: without them no mask is stable."""

Annotations = list[dict[str, Any]]
Times = defaultdict[str, float]
"""Seconds by stage."""
Find = Callable[[np.ndarray], Annotations]


def render_images(count: int) -> list[np.ndarray]:
    """Render scenes (HEIGHT, WIDTH, 3) uint8: the lower part of square ones."""
    render = SceneMaker(BODY, [0], WIDTH)
    return [render(index).image[WIDTH - HEIGHT :] for index in range(count)]


def random_sam(name: str, options: GeneratorOptions) -> Sam:
    """Build an official model with random weights; some of its masks pass the filters."""
    torch.manual_seed(0)
    sam = sam_model_registry[name]().eval().requires_grad_(False)
    for block in sam.image_encoder.blocks:
        block.attn.rel_pos_h.normal_(std=0.1)
        block.attn.rel_pos_w.normal_(std=0.1)
    for network in sam.mask_decoder.output_hypernetworks_mlps:
        network.layers[-1].weight.mul_(LOGIT_SCALE)
    last = sam.mask_decoder.iou_prediction_head.layers[-1]
    last.weight.mul_(IOU_SCALE)
    last.bias.fill_(options.predicted_iou)
    return sam


def stock_generator(sam: Sam, options: GeneratorOptions) -> SamAutomaticMaskGenerator:
    """Return segment-anything's generator with our options."""
    return SamAutomaticMaskGenerator(
        sam,
        points_per_side=options.points_per_side,
        pred_iou_thresh=options.predicted_iou,
        stability_score_thresh=options.stability,
        stability_score_offset=options.stability_offset,
        box_nms_thresh=options.box_nms,
        output_mode="uncompressed_rle",
    )


@contextmanager
def stage_times(clock: Callable[[], float]) -> Iterator[Times]:
    """Collect the seconds of each stage while the block runs."""
    times: Times = defaultdict(float)

    def timed(function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        @wraps(function)
        def run(*arguments: Any, **named: Any) -> Any:
            start = clock()
            try:
                return function(*arguments, **named)
            finally:
                times[stage] += clock() - start

        return run

    with ExitStack() as stack:
        for (owner, name), stage in STAGES.items():
            function = timed(getattr(owner, name), stage)
            stack.enter_context(mock.patch.object(owner, name, function))
        start = clock()
        yield times
        times[TOTAL] = clock() - start
        times[REST] = times[TOTAL] - sum(times[stage] for stage in set(STAGES.values()))


def compare(expected: Annotations, found: Annotations) -> str:
    """Say how two lists of masks differ."""
    if found == expected:
        return "same masks to the bit"
    if len(found) != len(expected):
        return f"{len(found)} masks found, expected {len(expected)}"
    pairs = [
        [decode_rle(annotation["segmentation"]) for annotation in pair]
        for pair in zip(expected, found, strict=True)
    ]
    pixels = sum(int((one ^ two).sum()) for one, two in pairs)
    ious = [(one & two).sum() / max(1, (one | two).sum()) for one, two in pairs]
    return f"{pixels} pixels of {len(found)} masks differ; lowest IoU {min(ious):.6f}"


def measure(
    finders: Sequence[Find], image: np.ndarray, rounds: int, device: torch.device
) -> tuple[list[Times], str]:
    """Run both in turn; return the times of their best rounds and how their masks differ."""
    best: list[Times] = [defaultdict(float) for _ in finders]
    results: list[Annotations] = [[] for _ in finders]
    for _ in range(rounds):
        for i, find in enumerate(finders):
            with stage_times(clock_of(device)) as times:
                results[i] = find(image)
            best[i] = min(best[i] or times, times, key=lambda one: one[TOTAL])
    agreement = compare(*results)
    print(f"{len(results[0])} masks: {agreement}", flush=True)
    return best, agreement


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Print how the masks of each image differ, and the times of all; return the ratio."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mask_bank", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--model", default="small", choices=["small", *sam_model_registry])
    parser.add_argument("--points-per-side", type=int, default=10, help="default: 10")
    parser.add_argument("--images", type=int, default=4, help="default: 4")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    given = parser.parse_args(arguments)
    device = choose_device(ComputeOptions(device=given.device))
    torch.set_flush_denormal(True)
    options = GeneratorOptions(points_per_side=given.points_per_side)
    if given.model == "small":
        sam = build_sam(SamOptions())
    else:  # random masks all have the box of the image
        options = options.model_copy(update={"box_nms": 1.0})
        sam = random_sam(given.model, options)
    sam = sam.to(device)
    finders = [stock_generator(sam, options).generate, MaskGenerator(deepcopy(sam), options)]
    images = render_images(given.images)
    times, agreements = zip(
        *(measure(finders, image, given.rounds, device) for image in images), strict=True
    )
    stages = (*dict.fromkeys(STAGES.values()), REST, TOTAL)
    stock, ours = ({stage: sum(one[i][stage] for one in times) for stage in stages} for i in (0, 1))
    where = f"{device.type}, {torch.get_num_threads()} threads"
    print(f"{len(images)} images of {WIDTH} x {HEIGHT}, {where}")
    for stage in stages:
        ratio = stock[stage] / max(ours[stage], 1e-9)
        print(f"{stage:<28} stock {stock[stage]:8.3f} s, ours {ours[stage]:8.3f} s, {ratio:5.2f} x")
    work = f"masks of a {WIDTH} x {HEIGHT} image, {given.model} SAM, {options.points_per_side**2}"
    unit = f"x the speed of segment-anything's generator, {', '.join(sorted(set(agreements)))}"
    work += f" points, {device.type}"
    return [Row(work, stock[TOTAL] / ours[TOTAL], unit, GOALS[device.type].get(given.model, ""))]


if __name__ == "__main__":
    main()
