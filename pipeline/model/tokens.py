"""Sizes of token grids; does not import torch, which takes seconds."""

from __future__ import annotations

BLENDING_TOKEN_WIDTH = 16
"""Width of the tokens that the feature blending module cuts features into."""


def token_grid(
    height: int, width: int, patch_size: int, stride: int | None = None
) -> tuple[int, int]:
    """Return rows and columns of patch tokens; pixels that fill no whole patch are cut off."""
    stride = stride or patch_size
    rows, columns = (max(0, (side - patch_size) // stride + 1) for side in (height, width))
    return rows, columns
