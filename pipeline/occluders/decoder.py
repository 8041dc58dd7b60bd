"""SAM's mask decoder for many points of one image."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from segment_anything.modeling import Sam
from torch import Tensor

_CACHED = 2**22
"""Numbers of the image tokens of a batch on a CPU; more take longer to read and write."""
_FEWEST, _MOST = 4, 64
"""Points of a batch. The stock generator takes 64; a CPU rounds the products of fewer than 4 in
another way."""


class LowMasks(NamedTuple):
    """n masks of low resolution, in the order of their points."""

    logits: Tensor
    """(n, 1, h, w) float32."""
    predicted_iou: Tensor
    """(n,) float32."""
    points: Tensor
    """(n,) int64, indices of the points."""


class PointDecoder:
    """Decodes the masks of an image with a predicted IoU above `threshold` (0: all masks).

    `features` (1, C, h, w) is the embedding of the image. The points share it; the stock decoder
    copies it for each and projects each copy. Only points with such a mask are upscaled.
    """

    def __init__(self, sam: Sam, features: Tensor, threshold: float) -> None:
        self._prompts, self._decoder = sam.prompt_encoder, sam.mask_decoder
        self._threshold = threshold or -math.inf
        self._image = features + self._prompts.no_mask_embed.weight[..., None, None]
        self._positions = self._prompts.get_dense_pe()
        self.batch_size = _MOST
        if features.device.type == "cpu":
            self.batch_size = min(_MOST, max(_FEWEST, _CACHED // features.numel()))

    def __call__(self, points: Tensor) -> LowMasks:
        """Decode points (P, 2) float64 in pixels of the network's input, a batch at most."""
        tokens = self._tokens(points)
        tokens, image = self._decoder.transformer(self._image, self._positions, tokens)
        ious = self._decoder.iou_prediction_head(tokens[:, 0])[:, 1:]  # 0 is for a single mask
        selected = ious > self._threshold
        used = selected.any(dim=1)
        masks = self._weights(tokens)[used] @ self._upscaled(image[used]).flatten(2)
        low = masks[:, 1:][selected[used]]
        grid = [4 * side for side in self._image.shape[2:]]
        return LowMasks(low.unflatten(1, [1, *grid]), ious[selected], selected.nonzero()[:, 0])

    def _tokens(self, points: Tensor) -> Tensor:
        """Return the tokens (P, 7, C): predicted IoU, four masks, the point, padding."""
        labels = torch.ones(len(points), 1, dtype=torch.int, device=points.device)
        prompts, _ = self._prompts((points[:, None], labels), None, None)
        output = torch.cat([self._decoder.iou_token.weight, self._decoder.mask_tokens.weight])
        return torch.cat([output.expand(len(points), -1, -1), prompts], dim=1)

    def _weights(self, tokens: Tensor) -> Tensor:
        """Return the weights (P, 4, C / 8) of the upscaled channels in each mask."""
        networks = enumerate(self._decoder.output_hypernetworks_mlps, start=1)
        return torch.stack([network(tokens[:, i]) for i, network in networks], dim=1)

    def _upscaled(self, image: Tensor) -> Tensor:
        """Upscale image tokens (P, h w, C) to (P, C / 8, 4 h, 4 w)."""
        image = image.transpose(1, 2).unflatten(2, self._image.shape[2:])
        return self._decoder.output_upscaling(image)
