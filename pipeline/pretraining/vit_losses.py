"""Losses of the small ViT's pretraining: what covers a patch, what the person wears, who is it."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.pretraining.teacher import IMAGE_WIDTH, PATCH_WIDTH
from pipeline.pretraining.vit_people import NONE, PERSON, SEEN_ON, person_shares
from pipeline.world.people import ATTRIBUTES
from pipeline.world.surfaces import PART, PARTS

_SIZES = [len(values) for values in ATTRIBUTES.values()]
_MIN_SHARE = 0.15  # of an attribute's part in a patch that is asked for the attribute
_TEMPERATURE = 0.1
_RANKED_TOKENS = 64  # of the patches, drawn for each batch: all pairs of all patches are slow
_CLASS_OBJECTNESS = 0.1  # weight of "the class token is a person's"
_IDENTITY_WIDTH = 64


class Heads(nn.Module):
    """Heads that are thrown away after pretraining; the first three read all tokens alike."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attributes = nn.Linear(width, sum(_SIZES))
        self.parts = nn.Linear(width, len(PARTS))
        self.person = nn.Linear(width, 1)
        self.identity = nn.Linear(width, _IDENTITY_WIDTH)
        self.patch_lesson = nn.Linear(width, PATCH_WIDTH)
        self.image_lesson = nn.Linear(width, IMAGE_WIDTH)


class PeopleBatch(NamedTuple):
    """images (B, 3, 128, 64) float32, shares (B, 128, P) float32, the teacher's features of patches
    (B, 128, 32) and images (B, 64) float32, the rest as in `People`.
    """

    images: Tensor
    shares: Tensor
    attributes: Tensor
    seen: Tensor
    occlusion: Tensor
    identity: Tensor
    patch_lessons: Tensor
    image_lessons: Tensor


class Losses(NamedTuple):
    """Scalars; `total` is the sum of the others."""

    total: Tensor
    class_attributes: Tensor
    patch_attributes: Tensor
    parts: Tensor
    person: Tensor
    ranking: Tensor
    identity: Tensor
    teacher: Tensor


def batch_losses(
    class_token: Tensor,
    patches: Tensor,
    heads: Heads,
    batch: PeopleBatch,
    generator: torch.Generator,
) -> Losses:
    """Losses of a batch from its class tokens (B, D) and patch tokens (B, N, D).

    The class token is asked for the attributes that an image shows, and who somebody is.
    """
    attributes = heads.attributes(patches)  # (B, N, sum of classes)
    covers = batch.shares @ torch.from_numpy(SEEN_ON)  # (B, N, A)
    covers = covers * (covers > _MIN_SHARE)
    terms = (
        attribute_loss(heads.attributes(class_token), batch.attributes, batch.seen.float()),
        attribute_loss(attributes, batch.attributes[:, None], covers),
        F.cross_entropy(heads.parts(patches).flatten(0, 1), batch.shares.flatten(0, 1)),
        _person_loss(class_token, patches, heads, batch),
        _token_ranking(class_token, patches, person_shares(batch.shares), generator),
        identity_loss(heads.identity(class_token), batch.identity),
        _teacher_loss(class_token, patches, heads, batch),
    )
    return Losses(torch.stack(terms).sum(), *terms)


def attribute_loss(logits: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
    """Mean over the attributes of the weighted mean cross-entropy of each.

    `logits` (..., C) holds the classes of all attributes side by side; `classes` (..., A) may be
    -1 where an attribute does not apply: such an entry has no weight. `weights` (..., A) >= 0.
    """
    losses = []
    for index, scores in enumerate(logits.split(_SIZES, -1)):
        target = classes[..., index].expand(scores.shape[:-1])
        weight = weights[..., index] * (target >= 0)
        loss = torch.logsumexp(scores, -1) - _picked(scores, target.clamp(min=0))
        losses.append((loss * weight).sum() / weight.sum().clamp(min=1e-6))
    return torch.stack(losses).mean()


def _picked(scores: Tensor, index: Tensor) -> Tensor:
    return scores.gather(-1, index[..., None])[..., 0]


def identity_loss(features: Tensor, identity: Tensor) -> Tensor:
    """Supervised contrastive loss (arXiv 2004.11362, L_out) of `features` (B, D), `identity` (B,).

    0 where no image has another one of its person in the batch.
    """
    features = F.normalize(features, dim=1)
    itself = torch.eye(len(features), dtype=torch.bool)
    scores = (features @ features.T / _TEMPERATURE).masked_fill(itself, -torch.inf)
    log_shares = F.log_softmax(scores, 1).masked_fill(itself, 0)
    positive = (identity[:, None] == identity) & ~itself
    count = positive.sum(1)
    mean = -(log_shares * positive).sum(1) / count.clamp(min=1)
    return mean.sum() / (count > 0).sum().clamp(min=1)


def _teacher_loss(class_token: Tensor, patches: Tensor, heads: Heads, batch: PeopleBatch) -> Tensor:
    """Smooth distance to the teacher's features of patches and of whole, unoccluded images.

    Of an occluded image the teacher mostly describes what stands in front.
    """
    patch = F.smooth_l1_loss(heads.patch_lesson(patches), batch.patch_lessons)
    clean = batch.occlusion == NONE
    found, wanted = heads.image_lesson(class_token)[clean], batch.image_lessons[clean]
    return patch + F.smooth_l1_loss(found, wanted)


def _person_loss(class_token: Tensor, patches: Tensor, heads: Heads, batch: PeopleBatch) -> Tensor:
    """Share of the person in each patch; patches of another person in front are left out."""
    other = (batch.occlusion == PERSON)[:, None] & (batch.shares[..., PART["obstacle"]] > 0.2)
    patch = F.binary_cross_entropy_with_logits(
        heads.person(patches)[..., 0], person_shares(batch.shares), weight=(~other).float()
    )
    return patch + _CLASS_OBJECTNESS * F.softplus(-heads.person(class_token)).mean()


def _token_ranking(
    class_token: Tensor, patches: Tensor, person: Tensor, generator: torch.Generator
) -> Tensor:
    """`ranking_loss` of the similarity to the class token and to one of the person's patches."""
    patches = F.normalize(patches, dim=-1)
    inside, outside = person > 0.5, person < 0.1  # (B, N)
    anchor = torch.multinomial(inside + 1e-6, 1, generator=generator)[:, 0]
    queries = (F.normalize(class_token, dim=-1), patches[torch.arange(len(patches)), anchor])
    scores = torch.einsum("qbd,bnd->qbn", torch.stack(queries), patches)
    some = torch.randperm(scores.shape[-1], generator=generator)[:_RANKED_TOKENS]
    inside, outside = inside[:, some].expand(2, -1, -1), outside[:, some].expand(2, -1, -1)
    return 2 * ranking_loss(scores[..., some], inside, outside)


def ranking_loss(scores: Tensor, inside: Tensor, outside: Tensor) -> Tensor:
    """Mean of -log sigmoid((s_i - s_j) / 0.1) over all pairs of a token i inside and j outside.

    `scores` (..., N) float; `inside` and `outside` (..., N) bool. 0 where there is no pair.
    """
    margin = (scores[..., :, None] - scores[..., None, :]) / _TEMPERATURE
    pairs = inside[..., :, None] & outside[..., None, :]
    return (F.softplus(-margin) * pairs).sum() / pairs.sum().clamp(min=1)
