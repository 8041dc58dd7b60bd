"""Attention of SAM's image encoder in blocks that fit the cache of a CPU.

segment-anything's own makes several tensors of the scores of all heads, of 0.8 GB each at 1024 px.
"""

from __future__ import annotations

from functools import partial

import torch
from segment_anything.modeling.image_encoder import Attention, ImageEncoderViT, get_rel_pos
from torch import Tensor

_BLOCK = 2**20
"""Scores in a block. With fewer, the products of a CPU are rounded in another way."""


def attend_in_blocks(encoder: ImageEncoderViT) -> None:
    """Let the attention of an encoder work in blocks; its output stays the same."""
    for block in encoder.blocks:
        block.attn.forward = partial(attend, block.attn)


def attend(attention: Attention, x: Tensor) -> Tensor:
    """Return the output (B, H, W, C) of an attention layer with relative positions."""
    batch, height, width, channels = x.shape
    heads = attention.num_heads
    qkv = attention.qkv(x).view(batch, height, width, 3, heads, channels // heads)
    queries, keys, values = qkv.permute(3, 0, 4, 1, 2, 5).flatten(1, 2).contiguous()
    rows = max(1, min(height, _BLOCK // (height * width**2)))
    maps = max(1, _BLOCK // (rows * height * width**2))
    out = torch.empty_like(queries)  # (B heads, H, W, c)
    for start in range(0, len(out), maps):
        part = slice(start, start + maps)
        for row in range(0, height, rows):
            some = part, slice(row, row + rows)
            weights = _weights(attention, queries[some], keys[part], row)
            out[some] = (weights @ values[part].flatten(1, 2)).view_as(out[some])
    out = out.view(batch, heads, height, width, -1).permute(0, 2, 3, 1, 4).flatten(3)
    return attention.proj(out)


def _weights(attention: Attention, queries: Tensor, keys: Tensor, row: int) -> Tensor:
    """Return the weights (n, r W, H W) of keys (n, H, W, c) for the queries (n, r, W, c).

    `row` is the first of the r rows of the queries.
    """
    n, rows, width, _ = queries.shape
    height = keys.shape[1]
    scores = (queries.flatten(1, 2) * attention.scale) @ keys.flatten(1, 2).transpose(1, 2)
    grid = scores.view(n, rows, width, height, width)
    vertical = get_rel_pos(height, height, attention.rel_pos_h)[row : row + rows]
    horizontal = get_rel_pos(width, width, attention.rel_pos_w)
    grid += torch.einsum("nrwc,rhc->nrwh", queries, vertical)[..., None]
    grid += torch.einsum("nrwc,wvc->nrwv", queries, horizontal)[..., None, :]
    return torch.softmax(scores, dim=-1, out=scores)
