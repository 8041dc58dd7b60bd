"""Estimate the cost of an experiment on one GPU from counted operations, without running it.

    python -m benchmarks.cost workflow/recipes/sgd.yaml workflow/experiments/market1501.yaml

Operations of the backbone are counted by torch.utils.flop_counter (a multiplication and an addition
are two), forward and backward for the two views of each training image, forward for the test
images and for the start of the memory bank. The heads are left out: they add 2 % at most
(benchmarks.heads). Hours follow from the assumed speed `--tflops`: by default 60 % of an A100's
float32 peak in NVIDIA's data sheet, or 30 % of its bfloat16 peak (compute.precision). Reading and
augmenting the images must keep up (compute.workers). SAM, tables and figures are not counted.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import yaml
from snakemake.utils import update_config  # type: ignore[import-untyped]
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from pipeline.config import Config
from pipeline.data.datasets import DATASETS
from pipeline.errors import InputError
from pipeline.model.build_backbone import build_backbone
from pipeline.options.data import SplitCounts
from pipeline.options.run import BackboneOptions, ImageOptions, RunOptions
from pipeline.training.sampling import epoch_batches

BASE = Path("config.yaml")
SPEED = {"float32": 0.6 * 19.5, "auto": 0.3 * 312.0, "bfloat16": 0.3 * 312.0}
"""Assumed TFLOP/s by precision: an A100's peak times the fraction that a training loop reaches."""
VIEWS = 2


class Cost(NamedTuple):
    """FLOP of one training with its test."""

    forward: float
    """Of the backbone's forward pass, for one image."""
    both: float
    """Of the backbone's forward and backward pass, for one image."""
    steps: int
    """Per epoch."""
    total: float


@cache
def count_flop(backbone: BackboneOptions, image: ImageOptions) -> tuple[float, float]:
    """Count the FLOP of the backbone for one image: forward, and forward with backward."""
    with torch.device("meta"):  # shapes alone
        network = build_backbone(backbone, image, pretrained=False)
        pixels = torch.empty(1, 3, image.height, image.width)
    # other attention kernels are counted on a GPU only
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        tokens = network.forward_features(pixels)
        forward = counter.get_total_flops()
        tokens.backward(torch.empty_like(tokens))
    return forward, counter.get_total_flops()


def epoch_steps(train: SplitCounts, options: RunOptions) -> int:
    """Count the steps of an epoch if each identity had the same number of images."""
    labels = np.arange(train.images) % train.identities
    return len(epoch_batches(labels, options.training, 0, 0))


def training_cost(config: Config, variant: str) -> Cost:
    """Compute the cost of one training of a variant with its test."""
    options = config.run_options(variant)
    train = _joint([_counts(config, folder)["train"] for folder in config.trained()])
    test = [_counts(config, folder) for folder in config.tested()]
    forward, both = count_flop(options.backbone, options.image)
    steps, training = epoch_steps(train, options), options.training
    views = VIEWS * training.identities * training.images * steps * training.epochs
    tested = [each[split].images for each in test for split in each if split != "train"]
    single_views = train.images + sum(tested)
    return Cost(forward, both, steps, views * both + single_views * forward)


def _joint(counts: Sequence[SplitCounts]) -> SplitCounts:
    """Add the counts of the training sets of a joint training."""
    return SplitCounts(
        identities=sum(each.identities for each in counts),
        images=sum(each.images for each in counts),
    )


def _counts(config: Config, folder: str) -> dict[str, SplitCounts]:
    data = config.sources()[folder]
    expected = config.ingest_options(folder).expected
    counts = dict(expected or DATASETS[data.dataset].counts)
    if not counts:
        raise InputError(
            f"data.dataset: expected a dataset of known size, found {data.dataset}: choose another"
        )
    return counts


def read(files: Sequence[Path]) -> Config:
    """Merge `files` into config.yaml as Snakemake does; archives may be missing."""
    values = yaml.safe_load(BASE.read_text(encoding="utf-8"))
    for file in files:
        update_config(values, yaml.safe_load(file.read_text(encoding="utf-8")))
    return Config.model_validate(values)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the estimate; the last line has the hours."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cost", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("files", type=Path, nargs="*", help="as for Snakemake's --configfile")
    parser.add_argument("--tflops", type=float, help="assumed speed")
    given = parser.parse_args(arguments)
    config = read(given.files)
    try:
        costs = [training_cost(config, name) for name in config.compare]
    except InputError as error:
        parser.error(str(error))
    for name, cost in zip(config.compare, costs, strict=True):
        print(
            f"{name:<20} {cost.forward / 1e9:.1f} GFLOP an image forward, {cost.both / 1e9:.1f} "
            f"with backward; {config.run_options(name).training.epochs} epochs of {cost.steps} "
            f"steps: {cost.total / 1e15:.0f} PFLOP"
        )
    trainings = len(costs) * len(config.seeds)
    total = sum(cost.total for cost in costs) * len(config.seeds)
    experiments = ", ".join(pair.experiment for pair in config.experiments())
    speed = given.tflops or SPEED[config.compute.precision]
    print(
        f"{experiments}: {trainings} trainings, {total / 1e15:.0f} PFLOP; at "
        f"{speed:.0f} TFLOP/s (assumed, not measured) {total / speed / 3.6e15:.1f} "
        "GPU-hours"
    )


if __name__ == "__main__":
    main()
