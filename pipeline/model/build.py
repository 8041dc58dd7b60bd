"""Build the network that the configuration describes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pipeline.model.backbone import use_plain_attention
from pipeline.model.build_backbone import build_backbone
from pipeline.model.cameras import CameraEmbedding
from pipeline.model.dpeformer import DPEFormer
from pipeline.options.run import RunOptions

CPU = torch.device("cpu")


def build_model(
    options: RunOptions,
    identities: int,
    pretrained: bool,
    precision: str = "float32",
    cameras: Sequence[int] = (),
    device: torch.device = CPU,
) -> DPEFormer:
    """Build the network of a run on `device`, with a classifier for `identities` identities.

    `cameras` are the numbers of the training cameras, for `options.backbone.camera_embedding`.
    With `pretrained` the backbone starts from `options.backbone.weights`; torch's global generator
    initialises the rest. Raises InputError as `build_backbone` does.
    """
    backbone = build_backbone(options.backbone, options.image, pretrained)
    strength = options.backbone.camera_embedding
    embedding = CameraEmbedding(cameras, backbone.num_features, strength) if strength else None
    if precision == "bfloat16" and device.type == "cpu":
        use_plain_attention(backbone)
    model = DPEFormer(
        backbone,
        identities,
        precision=precision,
        camera_embedding=embedding,
        **options.model.model_dump(),
    )
    return model.to(device)
