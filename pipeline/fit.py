"""Check that the options of a training run are consistent, before any job starts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from pipeline.errors import InputError
from pipeline.model.tokens import BLENDING_TOKEN_WIDTH, token_grid
from pipeline.options.run import (
    BackboneOptions,
    ErasingOptions,
    ImageOptions,
    ModelOptions,
    RunOptions,
    TrainingOptions,
)

SIZES = {"vit_tiny_patch16_224": (192, 3), "vit_base_patch16_224": (768, 12)}
"""Width and heads of the backbones of config.yaml and the recipes: importing timm takes seconds."""


def check_run_options(options: RunOptions, prefix: str) -> None:
    """Raise InputError for inconsistent options; `prefix` begins its message."""
    _check_tokens(options, prefix)
    _check_erasing(options.augment.erasing, prefix)
    _check_schedule(options.training, prefix)
    if options.loss.contrast in ("blended", "both") and options.model.selection == "none":
        raise InputError(
            f"{prefix}loss.contrast: found {options.loss.contrast}, but with model.selection none "
            "there is no blended feature: give coarse or none, or another selection"
        )
    try:
        width = network_width(options.backbone, options.image)
    except InputError as error:
        raise InputError(prefix + str(error).removeprefix("config: ")) from None
    _check_blending(options.model, width, prefix)


def check_split(training: TrainingOptions, gpus: int, prefix: str) -> None:
    """Require a batch that `gpus` processes can share equally; `prefix` begins the message."""
    batch = training.identities * training.images
    if batch % gpus:
        raise InputError(
            f"{prefix}training: found batches of {batch} images (identities x images), but "
            f"compute.gpus is {gpus}: give a multiple of it, or another number of GPUs"
        )


def uncovered_pixels(options: RunOptions) -> Iterator[str]:
    """Yield a warning for each side of the image with pixels outside all patches."""
    patch = options.backbone.patch_size
    if options.backbone.stride not in (None, patch):
        return  # usual with overlapping patches: stride 12 does not divide 256 x 128
    for name, side in (("height", options.image.height), ("width", options.image.width)):
        if rest := side % patch:
            yield (
                f"image.{name}: {side} is no multiple of backbone.patch_size {patch}: the last "
                f"{rest} pixels are in no patch: give {side - rest} or {side - rest + patch}"
            )


@cache
def network_width(backbone: BackboneOptions, image: ImageOptions) -> int:
    """Return the width of the tokens; InputError for a backbone that cannot be built."""
    if backbone.name not in SIZES:
        from pipeline.model.build_backbone import measure_width  # imports torch and timm

        return measure_width(backbone, image)
    width, heads = SIZES[backbone.name]
    width, heads = backbone.embed_dim or width, backbone.num_heads or heads
    if width % heads:
        raise InputError(
            f"backbone.embed_dim: found {width}, which is no multiple of backbone.num_heads "
            f"{heads}: give a multiple, or another number of heads"
        )
    return width


def _check_blending(model: ModelOptions, width: int, prefix: str) -> None:
    if model.selection != "none" and model.fusion == "fbm" and width % BLENDING_TOKEN_WIDTH:
        raise InputError(
            f"{prefix}backbone.embed_dim: found {width}, but model.fusion fbm needs a multiple of "
            f"{BLENDING_TOKEN_WIDTH}: give one, or another fusion"
        )


def _check_erasing(erasing: ErasingOptions, prefix: str) -> None:
    """Require min <= max for each range that rectangles are sampled from."""
    for name in ("area", "aspect"):
        least, most = getattr(erasing, f"min_{name}"), getattr(erasing, f"max_{name}")
        if least > most:
            raise InputError(
                f"{prefix}augment.erasing.max_{name}: found {most}, but min_{name} is {least}: "
                "give at least that"
            )


def _check_schedule(training: TrainingOptions, prefix: str) -> None:
    """Require at least one epoch of cosine schedule after the warm-up."""
    if training.warmup_epochs >= training.epochs:
        raise InputError(
            f"{prefix}training.warmup_epochs: found {training.warmup_epochs:g}, but "
            f"training.epochs is {training.epochs}, so that the warm-up never ends: give less, "
            "such as 0"
        )
    if training.schedule == "epoch" and training.epochs == 1:
        raise InputError(
            f"{prefix}training.schedule: found epoch, but training.epochs is 1, so that all steps "
            "have the last learning rate: give step, or more epochs"
        )


def _check_tokens(options: RunOptions, prefix: str) -> None:
    """Require a patch grid with at least k_min tokens and a row for each part."""
    backbone, model = options.backbone, options.model
    if backbone.stride is not None and backbone.stride > backbone.patch_size:
        raise InputError(
            f"{prefix}backbone.stride: found {backbone.stride}, but patches of "
            f"{backbone.patch_size} pixels would leave gaps: give at most that"
        )
    height, width = options.image.height, options.image.width
    rows, columns = token_grid(height, width, backbone.patch_size, backbone.stride)
    if model.k_min > rows * columns:
        raise InputError(
            f"{prefix}model.k_min: found {model.k_min}, but an image of {height} x {width} has "
            f"{rows * columns} tokens: give at most that"
        )
    if model.parts > rows:
        raise InputError(
            f"{prefix}model.parts: found {model.parts}, but each part needs a row of tokens and an "
            f"image of {height} pixels has {rows}: give at most that"
        )
