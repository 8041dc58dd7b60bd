"""Losses of the small ViT: parts of patches, attributes, identity and the teacher's features."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.pretraining.teacher import IMAGE_WIDTH, PATCH_WIDTH
from pipeline.pretraining.vit_people import NONE, PERSON, SEEN_ON, person_fraction
from pipeline.world.people import ATTRIBUTES
from pipeline.world.surfaces import PART, PARTS

_SIZES = [len(values) for values in ATTRIBUTES.values()]
_MIN_FRACTION = 0.15  # of an attribute's part in a patch, for the patch to predict it
_TEMPERATURE = 0.1
_RANKED_TOKENS = 64  # patches sampled per batch: the pairs of all patches are slow
_CLASS_WEIGHT = 0.1  # of the person loss of the class token
_IDENTITY_WIDTH = 64


class Heads(nn.Module):
    """Heads that pretraining discards; the first three apply to all tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attributes = nn.Linear(width, sum(_SIZES))
        self.parts = nn.Linear(width, len(PARTS))
        self.person = nn.Linear(width, 1)
        self.identity = nn.Linear(width, _IDENTITY_WIDTH)
        self.teacher_patch = nn.Linear(width, PATCH_WIDTH)
        self.teacher_image = nn.Linear(width, IMAGE_WIDTH)


class PeopleBatch(NamedTuple):
    """A batch of `People`, with the teacher's features.

    images (B, 3, 128, 64), part_fractions (B, 128, P), teacher_patches (B, 128, 32) and
    teacher_images (B, 64) float32; the rest as in `People`.
    """

    images: Tensor
    part_fractions: Tensor
    attributes: Tensor
    seen: Tensor
    occlusion: Tensor
    identity: Tensor
    teacher_patches: Tensor
    teacher_images: Tensor


class VitLosses(NamedTuple):
    """Scalars; `total` is the sum of the others."""

    total: Tensor
    class_attributes: Tensor
    patch_attributes: Tensor
    parts: Tensor
    person: Tensor
    ranking: Tensor
    identity: Tensor
    teacher: Tensor


def vit_losses(
    class_token: Tensor,
    patches: Tensor,
    heads: Heads,
    batch: PeopleBatch,
    generator: torch.Generator,
) -> VitLosses:
    """Compute the losses of a batch from its class tokens (B, D) and patch tokens (B, N, D).

    The class token predicts identity and the attributes that the image shows.
    """
    attributes = heads.attributes(patches)  # (B, N, sum of classes)
    coverage = batch.part_fractions @ torch.from_numpy(SEEN_ON)  # (B, N, A)
    coverage = coverage * (coverage > _MIN_FRACTION)
    terms = (
        attribute_loss(heads.attributes(class_token), batch.attributes, batch.seen.float()),
        attribute_loss(attributes, batch.attributes[:, None], coverage),
        F.cross_entropy(heads.parts(patches).flatten(0, 1), batch.part_fractions.flatten(0, 1)),
        _person_loss(class_token, patches, heads, batch),
        _token_ranking(class_token, patches, person_fraction(batch.part_fractions), generator),
        identity_loss(heads.identity(class_token), batch.identity),
        _teacher_loss(class_token, patches, heads, batch),
    )
    return VitLosses(torch.stack(terms).sum(), *terms)


def attribute_loss(logits: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
    """Average the weighted mean cross-entropy of each attribute over the attributes.

    `logits` (..., C) has the concatenated classes of all attributes; `classes` (..., A) is -1 where
    an attribute does not apply, which has no weight. `weights` (..., A) >= 0.
    """
    losses = []
    for index, scores in enumerate(logits.split(_SIZES, -1)):
        target = classes[..., index].expand(scores.shape[:-1])
        weight = weights[..., index] * (target >= 0)
        loss = (
            torch.logsumexp(scores, -1) - scores.gather(-1, target.clamp(min=0)[..., None])[..., 0]
        )
        losses.append((loss * weight).sum() / weight.sum().clamp(min=1e-6))
    return torch.stack(losses).mean()


def identity_loss(features: Tensor, identity: Tensor) -> Tensor:
    """Compute the supervised contrastive loss (arXiv 2004.11362, L_out) of `features` (B, D).

    `identity` (B,). 0 if no identity has two images in the batch.
    """
    features = F.normalize(features, dim=1)
    itself = torch.eye(len(features), dtype=torch.bool)
    scores = (features @ features.T / _TEMPERATURE).masked_fill(itself, -torch.inf)
    log_probabilities = F.log_softmax(scores, 1).masked_fill(itself, 0)
    positive = (identity[:, None] == identity) & ~itself
    count = positive.sum(1)
    mean = -(log_probabilities * positive).sum(1) / count.clamp(min=1)
    return mean.sum() / (count > 0).sum().clamp(min=1)


def _teacher_loss(class_token: Tensor, patches: Tensor, heads: Heads, batch: PeopleBatch) -> Tensor:
    """Compute the smooth L1 loss to the teacher's features of patches and of unoccluded images.

    The teacher's feature of an occluded image mostly describes the occluder.
    """
    patch = F.smooth_l1_loss(heads.teacher_patch(patches), batch.teacher_patches)
    clean = batch.occlusion == NONE
    image = F.smooth_l1_loss(heads.teacher_image(class_token)[clean], batch.teacher_images[clean])
    return patch + image


def _person_loss(class_token: Tensor, patches: Tensor, heads: Heads, batch: PeopleBatch) -> Tensor:
    """Compute the loss of the person's fraction per patch; ignore patches of a person in front."""
    obstacle = batch.part_fractions[..., PART["obstacle"]]
    other = (batch.occlusion == PERSON)[:, None] & (obstacle > 0.2)
    patch = F.binary_cross_entropy_with_logits(
        heads.person(patches)[..., 0],
        person_fraction(batch.part_fractions),
        weight=(~other).float(),
    )
    return patch + _CLASS_WEIGHT * F.softplus(-heads.person(class_token)).mean()


def _token_ranking(
    class_token: Tensor, patches: Tensor, person: Tensor, generator: torch.Generator
) -> Tensor:
    """Rank by the similarity to the class token and to one of the person's patches."""
    patches = F.normalize(patches, dim=-1)
    inside, outside = person > 0.5, person < 0.1  # (B, N)
    anchor = torch.multinomial(inside + 1e-6, 1, generator=generator)[:, 0]
    queries = (F.normalize(class_token, dim=-1), patches[torch.arange(len(patches)), anchor])
    scores = torch.einsum("qbd,bnd->qbn", torch.stack(queries), patches)
    some = torch.randperm(scores.shape[-1], generator=generator)[:_RANKED_TOKENS]
    inside, outside = inside[:, some].expand(2, -1, -1), outside[:, some].expand(2, -1, -1)
    return 2 * ranking_loss(scores[..., some], inside, outside)


def ranking_loss(scores: Tensor, inside: Tensor, outside: Tensor) -> Tensor:
    """Average -log sigmoid((s_i - s_j) / 0.1) over all pairs of a token i inside and j outside.

    `scores` (..., N) float; `inside` and `outside` (..., N) bool. 0 without any pair.
    """
    margin = (scores[..., :, None] - scores[..., None, :]) / _TEMPERATURE
    pairs = inside[..., :, None] & outside[..., None, :]
    return (F.softplus(-margin) * pairs).sum() / pairs.sum().clamp(min=1)
