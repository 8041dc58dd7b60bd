"""The losses of the small ViT against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pipeline.pretraining.teacher import IMAGE_WIDTH, PATCH_WIDTH
from pipeline.pretraining.vit_losses import (
    Batch,
    Heads,
    attribute_loss,
    batch_losses,
    identity_loss,
    ranking_loss,
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


def test_attribute_without_weight_changes_nothing() -> None:
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
    identity = torch.tensor([5, 2, 5, 9, 2, 5, 1])  # 9 and 1 have nobody
    unit = [(row / row.norm()).double() for row in features]
    losses = []
    for i in range(7):
        partners = [j for j in range(7) if j != i and identity[j] == identity[i]]
        others = sum(math.exp(float(unit[i] @ unit[j]) / 0.1) for j in range(7) if j != i)
        shares = [math.exp(float(unit[i] @ unit[j]) / 0.1) / others for j in partners]
        losses += [-sum(map(math.log, shares)) / len(shares)] if shares else []
    assert len(losses) == 5
    assert identity_loss(features, identity).item() == pytest.approx(np.mean(losses), rel=1e-4)


def test_without_partners_there_is_no_identity_loss_but_a_gradient() -> None:
    features = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss = identity_loss(features, torch.arange(3))
    loss.backward()
    assert loss.item() == 0
    assert features.grad is not None
    assert (features.grad == 0).all()


def test_the_class_token_learns_nothing_of_hidden_people(people: People) -> None:
    """Other labels on occluded images leave its losses as they are; on clean ones they do not."""
    generator = torch.Generator().manual_seed(0)
    count = len(people.images)
    class_token = torch.randn(count, 8, generator=generator)
    patches, heads = torch.randn(count, TOKENS, 8, generator=generator), Heads(8)
    lessons = torch.zeros(count, TOKENS, PATCH_WIDTH), torch.zeros(count, IMAGE_WIDTH)

    def losses(changed: torch.Tensor) -> tuple[float, float]:
        attributes, identity = people.attributes.clone(), people.identity.clone()
        attributes[changed], identity[changed] = 0, 0
        shares = people.shares.float() / 64
        batch = Batch(people.images, shares, attributes, people.occlusion, identity, *lessons)
        found = batch_losses(class_token, patches, heads, batch, generator)
        return found.class_attributes.item(), found.identity.item()

    hidden = people.occlusion != NONE
    nothing = losses(torch.zeros_like(hidden))
    assert losses(hidden) == nothing
    assert all(a != b for a, b in zip(losses(~hidden), nothing, strict=True))


def test_the_total_is_the_sum_of_the_others(people: People) -> None:
    generator = torch.Generator().manual_seed(0)
    count = len(people.images)
    lessons = torch.ones(count, TOKENS, PATCH_WIDTH), torch.ones(count, IMAGE_WIDTH)
    shares = people.shares.float() / 64
    batch = Batch(
        people.images, shares, people.attributes, people.occlusion, people.identity, *lessons
    )
    tokens = torch.randn(count, 8), torch.randn(count, TOKENS, 8)
    total, *terms = batch_losses(*tokens, Heads(8), batch, generator)
    assert total.item() == pytest.approx(sum(term.item() for term in terms), rel=1e-5)
    assert all(term.item() > 0 for term in terms)
