"""Overlapping patches: the pixels of each token, and the number of tokens."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import nn

from pipeline.model.build import build_model
from pipeline.model.build_backbone import build_backbone
from pipeline.model.tokens import token_grid
from pipeline.options.run import BackboneOptions, ImageOptions, ModelOptions, RunOptions
from tests.tiny import tiny_backbone

PATCH = 8


def options(stride: int | None) -> BackboneOptions:
    return tiny_backbone(patch_size=PATCH, stride=stride)


@pytest.mark.parametrize(
    ("stride", "height", "width", "grid"),
    [
        (None, 64, 32, (8, 4)),
        (8, 64, 32, (8, 4)),
        (6, 64, 32, (10, 5)),
        (4, 64, 32, (15, 7)),
        (4, 66, 33, (15, 7)),
        (8, 63, 39, (7, 4)),
        (3, 8, 7, (1, 0)),
    ],
)
def test_the_grid_counts_whole_patches(
    stride: int | None, height: int, width: int, grid: tuple[int, int]
) -> None:
    starts = [
        len([start for start in range(0, side, stride or PATCH) if start + PATCH <= side])
        for side in (height, width)
    ]
    assert tuple(starts) == grid
    assert token_grid(height, width, PATCH, stride) == grid


@pytest.mark.parametrize("stride", [3, 4, 6, 8])
@torch.no_grad()
def test_a_token_is_the_projection_of_its_own_pixels(stride: int) -> None:
    image = ImageOptions(height=46, width=29)
    backbone = build_backbone(options(stride), image)
    pixels = torch.randn(1, 3, 46, 29)
    tokens = backbone.patch_embed(pixels)[0]
    rows, columns = backbone.patch_embed.grid_size
    assert (rows, columns) == token_grid(46, 29, PATCH, stride)
    assert len(tokens) == rows * columns == backbone.patch_embed.num_patches
    weight, bias = backbone.patch_embed.proj.weight.flatten(1), backbone.patch_embed.proj.bias
    for token, (row, column) in zip(tokens, product(range(rows), range(columns)), strict=True):
        top, left = row * stride, column * stride
        window = pixels[0, :, top : top + PATCH, left : left + PATCH].flatten()
        assert torch.allclose(token, weight @ window + bias, atol=1e-5)


def test_branches_use_the_finer_grid() -> None:
    """15 rows of tokens make 4 stripes that share rows; k counts 105 tokens, not 32."""
    run = RunOptions(
        image=ImageOptions(height=64, width=32),
        backbone=options(4),
        model=ModelOptions(k_min=80),
    )
    model = build_model(run, 3, pretrained=False).eval()
    images = torch.randn(2, 3, 64, 32)
    features = model(images)
    assert features.selection.kept.shape == (2, 15 * 7)
    assert (features.selection.k >= 80).all()
    tokens = model.backbone.forward_features(images)[:, 1:].unflatten(1, (15, 7))
    stripes = nn.functional.adaptive_avg_pool2d(tokens.permute(0, 3, 1, 2), (4, 1))  # (B, D, P, 1)
    coarse = model.coarse_neck(stripes.squeeze(3).transpose(1, 2).flatten(1))
    assert torch.allclose(features.coarse, coarse, atol=1e-5)
    nn.functional.mse_loss(features.blended, torch.zeros_like(features.blended)).backward()
    assert model.backbone.patch_embed.proj.weight.grad.abs().max() > 0
