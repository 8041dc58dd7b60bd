"""Losses of the small SAM, and its batched decoder."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from segment_anything.modeling import MaskDecoder, Sam
from torch import Tensor, nn

from pipeline.pretraining.sam_scenes import SceneBatch

_BEST_WEIGHT = 0.8  # of the best of the three masks; the rest is of their mean
_FOCAL_WEIGHT = 20.0  # focal to dice, as in Segment Anything (arXiv 2304.02643)
_SUBCELLS = 4  # along a side of an embedding cell: pixels of the low-resolution mask


class SamLosses(NamedTuple):
    """Scalars; `best_iou` is the mean IoU of the best of three masks, without a gradient."""

    total: Tensor
    best_iou: Tensor


def sam_losses(
    model: Sam, outline: nn.Module, batch: SceneBatch, focal_fraction: float
) -> SamLosses:
    """Compute the losses of a batch; the mask loss goes from `focal_fraction` 0 to 1.

    `outline` maps the image embedding (B, C, G, G) to (B, 36, G, G): foreground and edge of each of
    the 4 x 4 sub-cells of a cell, and the box of the object at its centre.
    """
    embedding = model.image_encoder((batch.images - model.pixel_mean) / model.pixel_std)
    labels = torch.ones(len(batch.points), 1, dtype=torch.int)
    sparse, dense = model.prompt_encoder(
        points=(batch.points[:, None], labels), boxes=None, masks=None
    )
    positions = model.prompt_encoder.get_dense_pe()
    logits, quality = decode(model.mask_decoder, embedding, positions, sparse, dense)
    overlap = logits_iou(logits.detach(), batch.masks)  # (n, 3)
    losses = mask_losses(logits, batch.masks, focal_fraction)[~batch.background]
    mask = _BEST_WEIGHT * losses.min(1).values + (1 - _BEST_WEIGHT) * losses.mean(1)
    total = mask.mean() + F.mse_loss(quality, overlap) + _outline_loss(outline(embedding), batch)
    return SamLosses(total, overlap[~batch.background].max(1).values.mean())


def decode(
    decoder: MaskDecoder, embedding: Tensor, positions: Tensor, sparse: Tensor, dense: Tensor
) -> tuple[Tensor, Tensor]:
    """Decode masks (n, 3, 4G, 4G) and their predicted IoUs (n, 3) of n prompts on B images.

    Same computation as `MaskDecoder.predict_masks`, which takes a single image. The n = B * points
    prompts are sorted by image.
    """
    prompts = len(sparse)
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([own.expand(prompts, -1, -1), sparse], 1)  # (n, 1 + 4 + T, C)
    source = embedding.repeat_interleave(prompts // len(embedding), 0) + dense
    states, source = decoder.transformer(source, positions.expand(prompts, -1, -1, -1), tokens)
    grid = embedding.shape[-2:]
    upscaled = decoder.output_upscaling(source.transpose(1, 2).unflatten(2, grid))
    # the first mask token is for prompts of several points, which are not trained
    networks = list(enumerate(decoder.output_hypernetworks_mlps))[1:]
    weights = torch.stack([network(states[:, 1 + i]) for i, network in networks], 1)
    masks = (weights @ upscaled.flatten(2)).unflatten(2, upscaled.shape[-2:])
    return masks, decoder.iou_prediction_head(states[:, 0])[:, 1:]


def logits_iou(logits: Tensor, masks: Tensor) -> Tensor:
    """Compute the IoU (n, 3) of the thresholded `logits` (n, 3, H, W) and `masks` (n, 1, H, W)."""
    predicted, target = logits > 0, masks > 0.5
    union = (predicted | target).sum((2, 3)).clamp(min=1)
    return (predicted & target).sum((2, 3)) / union


def mask_losses(logits: Tensor, masks: Tensor, focal_fraction: float) -> Tensor:
    """Compute the loss (n, 3) of each mask: dice + cross-entropy.

    The cross-entropy is class-balanced with `focal_fraction` 0, the focal loss with 1. The focal
    loss alone lets a small model collapse to empty masks.
    """
    masks = masks.expand_as(logits)
    probability = logits.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(logits, masks, reduction="none")
    covered, sums = masks.sum((2, 3)), probability.sum((2, 3)) + masks.sum((2, 3))
    dice = 1 - (2 * (probability * masks).sum((2, 3)) + 1) / (sums + 1)
    focal = _FOCAL_WEIGHT * ((probability - masks) ** 2 * entropy).mean((2, 3))
    if focal_fraction >= 1:
        return focal + dice
    inside = (entropy * masks).sum((2, 3)) / (covered + 1)
    outside = (entropy * (1 - masks)).sum((2, 3)) / ((1 - masks).sum((2, 3)) + 1)
    return (1 - focal_fraction) * (inside + outside) / 2 + focal_fraction * focal + dice


def _outline_loss(predicted: Tensor, batch: SceneBatch) -> Tensor:
    """Compute the loss of foreground, edges and boxes over all cells of the image embedding."""
    step = batch.instances.shape[-1] // predicted.shape[-1]  # pixels of a cell
    fine = batch.instances[:, None, step // 8 :: step // _SUBCELLS, step // 8 :: step // _SUBCELLS]
    fine = fine.float()  # (B, 1, 4G, 4G)
    edge = F.max_pool2d(fine, 3, 1, 1) != -F.max_pool2d(-fine, 3, 1, 1)
    target = torch.cat([F.pixel_unshuffle(part.float(), _SUBCELLS) for part in (fine > 0, edge)], 1)
    outline = F.binary_cross_entropy_with_logits(predicted[:, :-4], target)
    centre = batch.instances[:, step // 2 :: step, step // 2 :: step]  # (B, G, G)
    boxes = torch.gather(batch.boxes, 1, centre.flatten(1)[..., None].expand(-1, -1, 4))
    error = (predicted[:, -4:].flatten(2).transpose(1, 2) - boxes).abs()  # (B, G * G, 4)
    objects = (centre > 0).flatten(1)[..., None]
    return outline + 2 * (error * objects).sum() / (4 * objects.sum() + 1)
