"""How images and features are cut into tokens; needs no torch, whose import takes seconds."""

from __future__ import annotations

BLENDING_TOKEN_WIDTH = 16
"""The feature blending module cuts features into tokens of this width."""


def token_grid(
    height: int, width: int, patch_size: int, stride: int | None = None
) -> tuple[int, int]:
    """Rows and columns of patch tokens; pixels that do not fill a last patch are cut off."""
    stride = stride or patch_size
    rows, columns = (max(0, (side - patch_size) // stride + 1) for side in (height, width))
    return rows, columns
