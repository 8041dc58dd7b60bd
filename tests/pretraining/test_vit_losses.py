"""The losses of the small ViT against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pipeline.pretraining.teacher import IMAGE_WIDTH, PATCH_WIDTH
from pipeline.pretraining.vit_losses import (
    Heads,
    PeopleBatch,
    attribute_loss,
    identity_loss,
    ranking_loss,
    vit_losses,
)
from pipeline.pretraining.vit_people import NONE, TOKENS, People
from pipeline.world.people import ATTRIBUTES

SIZES = [len(values) for values in ATTRIBUTES.values()]


def test_ranking_loss_is_the_mean_over_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(3, 7, generator=generator)
    inside, outside = torch.rand(2, 3, 7, generator=generator) > 0.5
    losses = [
        math.log1p(math.exp(-(scores[b, i].item() - scores[b, j].item()) / 0.1))
        for b in range(3)
        for i in range(7)
        for j in range(7)
        if inside[b, i] and outside[b, j]
    ]
    expected = sum(losses) / len(losses)
    assert ranking_loss(scores, inside, outside).item() == pytest.approx(expected, rel=1e-5)
    assert ranking_loss(scores, inside, torch.zeros_like(outside)).item() == 0


def test_attribute_loss_is_the_weighted_cross_entropy_of_each_attribute() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 6, sum(SIZES), generator=generator)
    classes = torch.stack([torch.randint(-1, n, (5, 1), generator=generator) for n in SIZES], -1)
    weights = torch.rand(5, 6, len(SIZES), generator=generator)
    means, start = [], 0
    for a, size in enumerate(SIZES):
        total = weight = 0.0
        for b in range(5):
            for n in range(6):
                if classes[b, 0, a] >= 0:
                    log_p = logits[b, n, start : start + size].log_softmax(0)
                    total -= weights[b, n, a].item() * log_p[classes[b, 0, a]].item()
                    weight += weights[b, n, a].item()
        means.append(total / weight)
        start += size
    loss = attribute_loss(logits, classes, weights)
    assert loss.item() == pytest.approx(np.mean(means), rel=1e-5)


def test_attribute_without_weight_has_no_gradient() -> None:
    logits = torch.randn(4, sum(SIZES), generator=torch.Generator().manual_seed(0))
    logits.requires_grad_()
    classes = torch.zeros(4, len(SIZES), dtype=torch.long)
    weights = torch.ones(4, len(SIZES))
    weights[:, 0] = 0
    attribute_loss(logits, classes, weights).backward()
    assert logits.grad is not None
    assert (logits.grad[:, : SIZES[0]] == 0).all()
    assert (logits.grad[:, SIZES[0] :] != 0).any()


def test_identity_loss_is_the_mean_over_images_with_a_partner() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(7, 4, generator=generator)
    identity = torch.tensor([5, 2, 5, 9, 2, 5, 1])  # 9 and 1 have no partner
    unit = [(row / row.norm()).double() for row in features]
    losses = []
    for i in range(7):
        partners = [j for j in range(7) if j != i and identity[j] == identity[i]]
        others = sum(math.exp(float(unit[i] @ unit[j]) / 0.1) for j in range(7) if j != i)
        probabilities = [math.exp(float(unit[i] @ unit[j]) / 0.1) / others for j in partners]
        losses += [-sum(map(math.log, probabilities)) / len(probabilities)] if probabilities else []
    assert len(losses) == 5
    assert identity_loss(features, identity).item() == pytest.approx(np.mean(losses), rel=1e-4)


def test_identity_loss_without_partners_is_0_with_a_gradient_of_0() -> None:
    features = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss = identity_loss(features, torch.arange(3))
    loss.backward()
    assert loss.item() == 0
    assert features.grad is not None
    assert (features.grad == 0).all()


def make_batch(people: People, teacher: float = 0.0) -> PeopleBatch:
    count = len(people.images)
    return PeopleBatch(
        people.images,
        people.part_pixels.float() / 64,
        people.attributes,
        people.seen,
        people.occlusion,
        people.identity,
        torch.full((count, TOKENS, PATCH_WIDTH), teacher),
        torch.full((count, IMAGE_WIDTH), teacher),
    )


@pytest.fixture
def tokens(people: People) -> tuple[torch.Tensor, torch.Tensor]:
    """Random class tokens and patches."""
    generator = torch.Generator().manual_seed(0)
    count = len(people.images)
    shapes = ((count, 8), (count, TOKENS, 8))
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


def test_class_token_loss_covers_seen_attributes_only(
    people: People, tokens: tuple[torch.Tensor, torch.Tensor]
) -> None:
    heads, generator = Heads(8), torch.Generator().manual_seed(0)

    def loss(changed: torch.Tensor) -> float:
        """Compute the loss with other labels where `changed` (M, A)."""
        attributes = torch.where(changed & (people.attributes > 0), 0, people.attributes)
        batch = make_batch(people)._replace(attributes=attributes)
        return vit_losses(*tokens, heads, batch, generator).class_attributes.item()

    nothing = loss(torch.zeros_like(people.seen))
    assert loss(~people.seen) == nothing
    assert loss(people.seen & (people.occlusion != NONE)[:, None]) != nothing


def test_teacher_loss_ignores_image_features_of_occluded_images(
    people: People, tokens: tuple[torch.Tensor, torch.Tensor]
) -> None:
    heads, batch = Heads(8), make_batch(people)

    def loss(changed: torch.Tensor) -> float:
        features = batch.teacher_images + changed[:, None]
        generator = torch.Generator().manual_seed(0)
        changed_batch = batch._replace(teacher_images=features)
        return vit_losses(*tokens, heads, changed_batch, generator).teacher.item()

    occluded = people.occlusion != NONE
    assert loss(occluded) == loss(torch.zeros_like(occluded))
    assert loss(~occluded) != loss(occluded)


def test_the_total_is_the_sum_of_the_others(
    people: People, tokens: tuple[torch.Tensor, torch.Tensor]
) -> None:
    generator = torch.Generator().manual_seed(0)
    total, *terms = vit_losses(*tokens, Heads(8), make_batch(people, 1.0), generator)
    assert total.item() == pytest.approx(sum(term.item() for term in terms), rel=1e-5)
    assert all(term.item() > 0 for term in terms)
