"""What the small SAM is trained to minimise, and the batched decoder that it needs."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from segment_anything.modeling import MaskDecoder, Sam
from torch import Tensor, nn

from pipeline.pretraining.sam_scenes import SceneBatch

_BEST = 0.8  # weight of the best of the three masks; the rest goes to their mean
_FOCAL = 20.0  # focal to dice, as in Segment Anything (arXiv 2304.02643)
_CELLS = 4  # sub-cells along a side of an embedding cell: the low-resolution mask's pixels


class Losses(NamedTuple):
    """Scalars; `best_iou` is the mean IoU of the best of three masks, without a gradient."""

    total: Tensor
    best_iou: Tensor


def batch_losses(model: Sam, outline: nn.Module, batch: SceneBatch, sharpness: float) -> Losses:
    """Losses of one batch. `sharpness` goes from 0 (balanced cross-entropy) to 1 (focal).

    `outline` reads the image embedding (B, C, G, G) into (B, 36, G, G): foreground and edge of
    each of the 4 x 4 sub-cells of a cell, and the box of the object at its centre.
    """
    embedding = model.image_encoder((batch.images - model.pixel_mean) / model.pixel_std)
    labels = torch.ones(len(batch.points), 1, dtype=torch.int)
    sparse, dense = model.prompt_encoder(
        points=(batch.points[:, None], labels), boxes=None, masks=None
    )
    positions = model.prompt_encoder.get_dense_pe()
    logits, quality = decode(model.mask_decoder, embedding, positions, sparse, dense)
    overlap = mask_iou(logits.detach(), batch.masks)  # (n, 3)
    costs = mask_costs(logits, batch.masks, sharpness)[~batch.background]
    mask = _BEST * costs.min(1).values + (1 - _BEST) * costs.mean(1)
    total = mask.mean() + F.mse_loss(quality, overlap) + _outline_loss(outline(embedding), batch)
    return Losses(total, overlap[~batch.background].max(1).values.mean())


def decode(
    decoder: MaskDecoder, embedding: Tensor, positions: Tensor, sparse: Tensor, dense: Tensor
) -> tuple[Tensor, Tensor]:
    """Masks (n, 3, 4G, 4G) and their predicted IoUs (n, 3) of n prompts on B images.

    `MaskDecoder.predict_masks` takes a single image; this is the same computation for
    n = B * points prompts of which those of an image are neighbours.
    """
    prompts = len(sparse)
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([own.expand(prompts, -1, -1), sparse], 1)  # (n, 1 + 4 + T, C)
    source = embedding.repeat_interleave(prompts // len(embedding), 0) + dense
    states, source = decoder.transformer(source, positions.expand(prompts, -1, -1, -1), tokens)
    grid = embedding.shape[-2:]
    upscaled = decoder.output_upscaling(source.transpose(1, 2).unflatten(2, grid))
    # The first mask token is for prompts of several points, which are not trained.
    networks = list(enumerate(decoder.output_hypernetworks_mlps))[1:]
    weights = torch.stack([network(states[:, 1 + i]) for i, network in networks], 1)
    masks = (weights @ upscaled.flatten(2)).unflatten(2, upscaled.shape[-2:])
    return masks, decoder.iou_prediction_head(states[:, 0])[:, 1:]


def mask_iou(logits: Tensor, masks: Tensor) -> Tensor:
    """IoU of the thresholded `logits` (n, 3, H, W) and `masks` (n, 1, H, W): (n, 3)."""
    found, wanted = logits > 0, masks > 0.5
    union = (found | wanted).sum((2, 3)).clamp(min=1)
    return (found & wanted).sum((2, 3)) / union


def mask_costs(logits: Tensor, masks: Tensor, sharpness: float) -> Tensor:
    """Cost (n, 3) of each mask: dice + cross-entropy, class-balanced at first and focal at last.

    The focal loss alone lets a small model collapse to empty masks.
    """
    masks = masks.expand_as(logits)
    chance = logits.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(logits, masks, reduction="none")
    covered, sums = masks.sum((2, 3)), chance.sum((2, 3)) + masks.sum((2, 3))
    dice = 1 - (2 * (chance * masks).sum((2, 3)) + 1) / (sums + 1)
    focal = _FOCAL * ((chance - masks) ** 2 * entropy).mean((2, 3))
    if sharpness >= 1:
        return focal + dice
    inside = (entropy * masks).sum((2, 3)) / (covered + 1)
    outside = (entropy * (1 - masks)).sum((2, 3)) / ((1 - masks).sum((2, 3)) + 1)
    return (1 - sharpness) * (inside + outside) / 2 + sharpness * focal + dice


def _outline_loss(found: Tensor, batch: SceneBatch) -> Tensor:
    """Foreground, edges and boxes asked of every cell of the image embedding."""
    step = batch.instances.shape[-1] // found.shape[-1]  # pixels of a cell
    fine = batch.instances[:, None, step // 8 :: step // _CELLS, step // 8 :: step // _CELLS]
    fine = fine.float()  # (B, 1, 4G, 4G)
    edge = F.max_pool2d(fine, 3, 1, 1) != -F.max_pool2d(-fine, 3, 1, 1)
    wanted = torch.cat([F.pixel_unshuffle(part.float(), _CELLS) for part in (fine > 0, edge)], 1)
    drawn = F.binary_cross_entropy_with_logits(found[:, :-4], wanted)
    centre = batch.instances[:, step // 2 :: step, step // 2 :: step]  # (B, G, G)
    boxes = torch.gather(batch.boxes, 1, centre.flatten(1)[..., None].expand(-1, -1, 4))
    error = (found[:, -4:].flatten(2).transpose(1, 2) - boxes).abs()  # (B, G * G, 4)
    objects = (centre > 0).flatten(1)[..., None]
    return drawn + 2 * (error * objects).sum() / (4 * objects.sum() + 1)
