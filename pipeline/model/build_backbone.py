"""Build the backbone that the configuration describes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from pipeline.files import shipped
from pipeline.model.backbone import Backbone, create_backbone, load_pretrained
from pipeline.options.run import BackboneOptions, ImageOptions


def build_backbone(
    options: BackboneOptions, image: ImageOptions, pretrained: bool = True
) -> Backbone:
    """Build the timm ViT of `options` for images of `image.height` x `image.width` pixels.

    With `pretrained` it loads the file `options.weights`; without it, or without a file, timm
    initialises the weights by torch's global generator.
    Raises InputError as `create_backbone` and `load_pretrained` do.
    """
    backbone = create_backbone(**_arguments(options, image))
    if pretrained and options.weights is not None:
        load_pretrained(backbone, Path(shipped(options.weights)), options.sha256)
    return backbone


def measure_width(options: BackboneOptions, image: ImageOptions) -> int:
    """Return the width of a backbone's tokens, without memory for its weights."""
    with torch.device("meta"):
        return create_backbone(**_arguments(options, image)).num_features


def _arguments(options: BackboneOptions, image: ImageOptions) -> dict[str, Any]:
    """Select the arguments of `create_backbone` from the configuration."""
    others = {"camera_embedding", "weights", "sha256"}
    return options.model_dump(exclude=others) | {"height": image.height, "width": image.width}
