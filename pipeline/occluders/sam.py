"""Build the Segment Anything Model by name, with verified weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from segment_anything import sam_model_registry
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from torch import nn

from pipeline.errors import InputError
from pipeline.files import shipped
from pipeline.model.weights import check_hash, fill, read_weights
from pipeline.occluders.checkpoints import OFFICIAL
from pipeline.options.occluders import SamOptions

SMALL_SIDE = 192
"""Width and height in pixels of the small SAM's input."""
_PATCH = 16
_WIDTH = 64  # channels of the image embedding and of the decoder


def small_sam() -> Sam:
    """Build an untrained SAM of 0.67 M parameters for scenes of a few large objects.

    It has the parts and interface of segment-anything's models: input of 192 px, image embedding
    (64, 12, 12), low-resolution masks (48, 48).
    """
    grid = SMALL_SIDE // _PATCH
    encoder = ImageEncoderViT(
        img_size=SMALL_SIDE,
        patch_size=_PATCH,
        embed_dim=96,
        depth=4,
        num_heads=3,
        mlp_ratio=3,
        out_chans=_WIDTH,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=4,
        global_attn_indexes=(1, 3),
    )
    prompts = PromptEncoder(
        embed_dim=_WIDTH,
        image_embedding_size=(grid, grid),
        input_image_size=(SMALL_SIDE, SMALL_SIDE),
        mask_in_chans=16,
    )
    decoder = MaskDecoder(
        transformer_dim=_WIDTH,
        transformer=TwoWayTransformer(depth=2, embedding_dim=_WIDTH, mlp_dim=128, num_heads=4),
        num_multimask_outputs=3,
        iou_head_depth=3,
        iou_head_hidden_dim=_WIDTH,
    )
    mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    return Sam(encoder, prompts, decoder, pixel_mean=mean, pixel_std=std)


BUILDERS: dict[str, Callable[[], Sam]] = {
    "small": small_sam,
    **{name: sam_model_registry[name] for name in OFFICIAL},
}
"""Builders of untrained models, by their names in the configuration."""


def build_sam(options: SamOptions) -> Sam:
    """Build the model `options.model` with the weights of its checkpoint, in eval mode on the CPU.

    Raises InputError if the file is missing, has another hash or does not fit the model.
    """
    path = Path(shipped(options.checkpoint))
    _check_file(path, options)
    model = BUILDERS[options.model]()
    state = read_weights(path, anchor="image_encoder.patch_embed.proj.weight")
    fill(model, state, f"{path}: does not fit the SAM {options.model!r} (occluders.sam.model)")
    return model.eval()


def _check_file(path: Path, options: SamOptions) -> None:
    name, md5 = OFFICIAL.get(options.model, (None, None))
    if not path.is_file():
        source = (
            f"set it to results/downloads/{name}, which the workflow downloads, or to a file from "
            "the model checkpoints of https://github.com/facebookresearch/segment-anything"
            if name
            else "restore it from the repository or make it with `snakemake demo_weights`"
        )
        raise InputError(f"occluders.sam.checkpoint: no such file: {path}: {source}")
    check_hash(path, options.sha256, "occluders.sam.sha256")
    if md5 is not None and (found := _md5(path)) != md5:
        raise InputError(
            f"{path}: expected the MD5 {md5} of the official {name}, found {found}: "
            "download it again, or set occluders.sam.model to the model of this file"
        )


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
