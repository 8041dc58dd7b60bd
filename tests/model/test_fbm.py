"""FBM against a loop over images and heads."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.errors import InputError
from pipeline.model.fbm import FeatureBlending


def make(width: int = 48, dtype: torch.dtype = torch.float32) -> FeatureBlending:
    torch.manual_seed(0)
    block = FeatureBlending(width).to(dtype)
    for parameter in block.parameters():  # norms and biases start as ones and zeros
        torch.nn.init.normal_(parameter, std=0.5)
    return block


def norm(tokens: Tensor, layer: torch.nn.LayerNorm) -> Tensor:
    centred = tokens - tokens.mean(1, keepdim=True)
    scale = (centred.square().mean(1, keepdim=True) + layer.eps).sqrt()
    return centred / scale * layer.weight + layer.bias


def blend_one(block: FeatureBlending, part: Tensor, global_: Tensor) -> Tensor:
    """One image, head by head: part (D,), global (D,)."""
    tokens = part.view(-1, 16) + block.part_position
    source = norm(global_.view(-1, 16) + block.global_position, block.global_norm)
    weights = block.cross_attention.in_proj_weight.chunk(3)
    biases = block.cross_attention.in_proj_bias.chunk(3)
    inputs = (norm(tokens, block.part_norm), source, source)
    q, k, v = (x @ w.t() + b for x, w, b in zip(inputs, weights, biases, strict=True))
    heads = []
    for head in (slice(0, 8), slice(8, 16)):
        attention = (q[:, head] @ k[:, head].t() / 8**0.5).softmax(dim=1)
        heads.append(attention @ v[:, head])
    out = block.cross_attention.out_proj
    tokens = tokens + torch.cat(heads, 1) @ out.weight.t() + out.bias
    layer_norm, first, _, second = block.feed_forward
    hidden = functional.gelu(norm(tokens, layer_norm) @ first.weight.t() + first.bias)
    return (tokens + hidden @ second.weight.t() + second.bias).flatten()


def test_blending_equals_a_loop_over_images_and_heads() -> None:
    block = make()
    parts, globals_ = torch.randn(5, 48), torch.randn(5, 48)
    expected = torch.stack([blend_one(block, p, g) for p, g in zip(parts, globals_, strict=True)])
    assert torch.allclose(block(parts, globals_), expected, atol=1e-5)


def test_the_attention_is_what_blends() -> None:
    """Its rows are shares; the global feature's values, mixed by them, give the block's output."""
    block = make()
    parts, globals_ = torch.randn(5, 48), torch.randn(5, 48)
    attention = block.attention(parts, globals_)
    assert attention.shape == (5, 2, 3, 3)
    assert torch.allclose(attention.sum(3), torch.ones(5, 2, 3), atol=1e-6)
    layer = block.cross_attention
    tokens = parts.view(5, 3, 16) + block.part_position
    source = block.global_norm(globals_.view(5, 3, 16) + block.global_position)
    values = source @ layer.in_proj_weight[32:].t() + layer.in_proj_bias[32:]
    mixed = [attention[:, h] @ values[..., 8 * h : 8 * h + 8] for h in range(2)]
    tokens = tokens + layer.out_proj(torch.cat(mixed, 2))
    expected = (tokens + block.feed_forward(tokens)).flatten(1)
    assert torch.allclose(block(parts, globals_), expected, atol=1e-5)


def test_the_gradient_is_right() -> None:
    block = make(width=32, dtype=torch.float64)
    inputs = [torch.randn(2, 32, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(block, inputs)


def test_a_width_that_cannot_be_cut_is_refused() -> None:
    with pytest.raises(InputError, match=r"width is 40.*embed_dim"):
        FeatureBlending(40)
