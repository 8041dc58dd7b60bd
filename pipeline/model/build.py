"""Build networks as the configuration describes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pipeline.files import shipped
from pipeline.model.backbone import Backbone, create_backbone, load_pretrained
from pipeline.model.cameras import CameraEmbedding
from pipeline.model.dpeformer import DPEFormer
from pipeline.options.run import BackboneOptions, ImageOptions, RunOptions


def build_backbone(
    options: BackboneOptions, image: ImageOptions, pretrained: bool = True
) -> Backbone:
    """The timm ViT of `options` for images of `image.height` x `image.width` pixels.

    With `pretrained`, the weights are those of the file `options.weights`; without, or where no
    file is given, timm's random initialisation, drawn from torch's global generator.
    Raises InputError as `create_backbone` and `load_pretrained` do.
    """
    backbone = create_backbone(**_arguments(options, image))
    if pretrained and options.weights is not None:
        load_pretrained(backbone, Path(shipped(options.weights)), options.sha256)
    return backbone


def measure_width(options: BackboneOptions, image: ImageOptions) -> int:
    """Width of the tokens of a backbone, which is built without memory for its weights."""
    with torch.device("meta"):
        return create_backbone(**_arguments(options, image)).num_features


def build_model(
    options: RunOptions,
    identities: int,
    pretrained: bool,
    precision: str = "float32",
    cameras: Sequence[int] = (),
) -> DPEFormer:
    """The network of a run, with a classifier for `identities` training identities.

    `cameras` are the numbers of the training cameras, for `options.backbone.camera_embedding`.
    With `pretrained` its backbone starts from `options.backbone.weights`; all else is drawn from
    torch's global generator. Raises InputError where the backbone cannot be made or filled.
    """
    backbone = build_backbone(options.backbone, options.image, pretrained)
    strength = options.backbone.camera_embedding
    embedding = CameraEmbedding(cameras, backbone.num_features, strength) if strength else None
    return DPEFormer(
        backbone,
        identities,
        precision=precision,
        camera_embedding=embedding,
        **options.model.model_dump(),
    )


def _arguments(options: BackboneOptions, image: ImageOptions) -> dict[str, Any]:
    """What `create_backbone` takes of the configuration."""
    others = {"camera_embedding", "weights", "sha256"}
    return options.model_dump(exclude=others) | {"height": image.height, "width": image.width}
