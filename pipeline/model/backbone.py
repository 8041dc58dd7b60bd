"""The backbone: any timm vision transformer with a class token, and its pretrained weights."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import timm
import torch
from timm.layers import PatchEmbed, resample_abs_pos_embed
from timm.models.beit import Beit
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.model.tokens import token_grid
from pipeline.model.weights import State, check_hash, fill, read_weights

Backbone: TypeAlias = Any
"""An `nn.Module`: timm's vision transformers share attributes, but no typed base class."""


def create_backbone(
    name: str,
    height: int = 256,
    width: int = 128,
    patch_size: int = 16,
    stride: int | None = None,
    drop_path: float = 0.0,
    **sizes: float | None,
) -> Backbone:
    """Create a timm ViT without classifier for `height` x `width` pixels, randomly initialised.

    Its `patch_embed.grid_size` equals `token_grid`; with a `stride` below `patch_size` the patches
    overlap. `sizes` are timm's embed_dim, depth, num_heads and mlp_ratio; None is timm's default.
    Raises InputError for a name that timm does not know and for a network other than a plain ViT
    with a class token.
    """
    grid = token_grid(height, width, patch_size, stride)
    backbone = _build(name, grid, patch_size, drop_path, sizes)
    patches = backbone.patch_embed
    patches.proj.stride = (stride or patch_size,) * 2
    patches.img_size = (height, width)
    patches.strict_img_size = True  # otherwise some families need a multiple of the patch size
    backbone.blocks[0].token_shift = None
    backbone.blocks[0].register_forward_pre_hook(_add_shift)
    return backbone


def load_pretrained(backbone: Backbone, path: Path, expected_hash: str | None = None) -> None:
    """Load all weights of `path` into `backbone`, or none.

    Raises InputError for a file that is missing, has another hash or does not fit.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file: set backbone.weights to a local file of weights")
    check_hash(path, expected_hash, "backbone.sha256")
    state = read_weights(path, anchor="patch_embed.proj.weight")
    try:
        state = _convert(backbone, state)
    except (KeyError, RuntimeError, AssertionError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be converted to {type(backbone).__name__} ({error}): give weights of "
            "the model that backbone.name names"
        ) from error
    fill(backbone, state, f"{path}: does not fit the backbone of the configuration")


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Standardise pixels in 0..255 to the network's input, (B, 3, H, W) float32."""
    means, stds = (_per_channel(tuple(values), images.device) for values in (mean, std))
    return images.float().div(255).sub_(means).div_(stds)


@lru_cache
def _per_channel(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Return one value per channel as (1, 3, 1, 1), copied once: a copy waits for a GPU."""
    return torch.tensor(values, device=device).view(1, 3, 1, 1)


def encode(
    backbone: Backbone, images: Tensor, precision: str = "float32", shift: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return class token (B, D) and patch tokens (B, N, D), in raster order, after the final norm.

    `images` (B, 3, H, W) are normalised. Other prefix tokens (registers, distillation) are dropped.
    `shift` (B, D) is added to every token of its image before the first block.
    With `precision` bfloat16 (not float32) the backbone runs under autocast; the tokens have the
    dtype of the images.
    """
    half = precision == "bfloat16"
    first_block = backbone.blocks[0]
    first_block.token_shift = shift
    with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
        tokens = backbone.forward_features(images).to(images.dtype)  # (B, prefix + N, D)
    first_block.token_shift = None
    return tokens[:, 0], tokens[:, backbone.num_prefix_tokens :]


def _add_shift(block: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Add `token_shift` of the first block to every token that enters it."""
    shift = block.token_shift
    return inputs if shift is None else (inputs[0] + shift[:, None], *inputs[1:])


def use_plain_attention(backbone: Backbone) -> None:
    """Switch timm's fused attention off: in bfloat16 on a CPU its backward pass is slow."""
    for module in backbone.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False


def _build(
    name: str,
    grid: tuple[int, int],
    patch_size: int,
    drop_path: float,
    sizes: Mapping[str, float | None],
) -> Backbone:
    """Build a network for `grid` rows and columns of patches, still without overlap."""
    if not timm.is_model(name):
        raise InputError(
            f"config: backbone.name: timm knows no model {name!r}: "
            "choose one of timm.list_models('vit_*')"
        )
    arguments: dict[str, Any] = {key: size for key, size in sizes.items() if size is not None}
    rows, columns = grid
    try:
        backbone = timm.create_model(
            name,
            pretrained=False,
            num_classes=0,
            # average pooling would move the final norm behind it; distilled DeiT takes "token" only
            global_pool="token" if "distilled" in name else "",
            img_size=(rows * patch_size, columns * patch_size),  # determines positions of any kind
            patch_size=patch_size,
            drop_path_rate=drop_path,
            **arguments,
        )
    except (AssertionError, TypeError, ValueError) as error:
        raise InputError(
            f"config: backbone: timm cannot build {name} with patch_size {patch_size} and "
            f"{arguments}: {error}"
        ) from error
    reason = _unsupported_reason(backbone)
    if reason:
        raise InputError(
            f"config: backbone.name: {name} {reason}: choose a plain vision transformer "
            "with a class token, such as vit_base_patch16_224"
        )
    return backbone


def _unsupported_reason(backbone: Backbone) -> str | None:
    """Return why `encode` does not support a network; None if it does."""
    if not isinstance(backbone, VisionTransformer | Eva | Beit):
        # others break assumptions: CaiT's class token skips most blocks, for example
        return f"is timm's {type(backbone).__name__}, not a VisionTransformer, Eva or Beit"
    if backbone.cls_token is None:
        return "has no class token, which DPEFormer needs"
    if not isinstance(backbone.patch_embed, PatchEmbed):
        return "makes its tokens by convolutions, not of patches of the image"
    if isinstance(backbone.norm, nn.Identity):
        return "does not normalise its tokens after the last block, as DPEFormer needs"
    return None


def _convert(backbone: Backbone, state: State) -> State:
    """Convert weights to this backbone's names, patch size and positions; drop the classifier."""
    # published DINOv2 has another layout and a square grid: timm converts it
    own = None if "mask_token" in state else state.get("pos_embed")
    positions = _resample_rectangular(backbone, own)
    if positions is not None:
        state = {name: value for name, value in state.items() if name != "pos_embed"}
    family = sys.modules[type(backbone).__module__]  # timm converts per family of models
    if hasattr(family, "checkpoint_filter_fn"):
        state = family.checkpoint_filter_fn(state, backbone)
    if positions is not None:
        state = state | {"pos_embed": positions}
    if "norm.weight" not in state:  # of a network that averages its tokens before the last norm
        state = {name.replace("fc_norm.", "norm."): value for name, value in state.items()}
    names = backbone.pretrained_cfg.get("classifier") or "head"
    classifiers = tuple(f"{name}." for name in ([names] if isinstance(names, str) else names))
    return {name: value for name, value in state.items() if not name.startswith(classifiers)}


def _resample_rectangular(backbone: Backbone, positions: Tensor | None) -> Tensor | None:
    """Resample position embeddings of a non-square grid, shaped like the backbone's, to its size.

    None if the size fits or timm resamples: timm takes every grid of another size for a square.
    """
    own = backbone.pos_embed  # None where positions are rotary or relative only
    if positions is None or own is None or positions.shape[1] == own.shape[1]:
        return None
    prefix = 0 if getattr(backbone, "no_embed_class", False) else backbone.num_prefix_tokens
    count = positions.shape[1] - prefix
    if math.isqrt(count) ** 2 == count:
        return None
    rows, columns = backbone.patch_embed.grid_size
    old_rows = round(math.sqrt(count * rows / columns))
    old_columns = round(math.sqrt(count * columns / rows))
    if old_rows * old_columns != count:
        raise ValueError(
            f"{count} position embeddings are neither a square nor a grid like {rows} x {columns}"
        )
    return resample_abs_pos_embed(
        positions, [rows, columns], [old_rows, old_columns], num_prefix_tokens=prefix
    )
