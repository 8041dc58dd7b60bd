"""The small ViT's pretraining: its data, its losses against plain loops, and its report."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import average_precision_score, roc_auc_score

from pipeline.files import sha256
from pipeline.model.backbone import create_backbone
from pipeline.pretraining.small_vit import BACKBONE, IMAGE, Trainer, draw_batch, train_small_vit
from pipeline.pretraining.vit_losses import (
    Batch,
    Heads,
    attribute_loss,
    batch_losses,
    ranking_loss,
)
from pipeline.pretraining.vit_people import (
    NONE,
    TOKENS,
    People,
    draw_people,
    person_shares,
    seen_attributes,
)
from pipeline.pretraining.vit_report import area_under_curve, mean_average_precision, report_vit
from pipeline.synthetic.people import ATTRIBUTE_PART, ATTRIBUTES, OCCLUDER, PARTS

NAMES = list(ATTRIBUTES)


@pytest.fixture(scope="module")
def people() -> People:
    return draw_people("train", 0, 12)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vit") / "weights.safetensors"
    train_small_vit(path, seed=3, steps=3, identities=8)
    return path


def test_people_agree_with_themselves(people: People) -> None:
    assert people.images.shape == (36, 3, 128, 64)
    assert (people.shares.sum(-1) == 64).all()
    assert people.attributes.view(12, 3, -1).unique(dim=1).shape[1] == 1  # one person, three times
    hidden = people.shares[..., OCCLUDER].sum(1) > 0
    assert torch.equal(hidden, people.occlusion != NONE)
    assert hidden.any()
    assert not hidden.all()


def test_families_and_seeds_draw_different_people(people: People) -> None:
    again, other, seed = (draw_people(*a, 1) for a in (("train", 0), ("held_out", 0), ("train", 1)))
    assert torch.equal(again.images[0], people.images[0])
    assert not torch.equal(other.images[0], people.images[0])
    assert not torch.equal(seed.images[0], people.images[0])


def test_hidden_attributes_are_not_asked_for() -> None:
    """A clean image shows everything; the others show what a quarter of the part is left of."""
    shares = np.zeros((4, TOKENS, len(PARTS)), np.uint8)
    shares[0, :8, ATTRIBUTE_PART["top"]] = shares[0, :8, ATTRIBUTE_PART["shoe"]] = 10
    shares[1, :8, ATTRIBUTE_PART["top"]], shares[1, 0, ATTRIBUTE_PART["shoe"]] = 10, 10
    shares[2, 0, ATTRIBUTE_PART["top"]], shares[2, :8, ATTRIBUTE_PART["shoe"]] = 10, 10
    attributes = np.zeros((4, len(NAMES)), np.int64)
    attributes[:, NAMES.index("cap")] = -1
    seen = seen_attributes(shares, attributes, np.array([0, 1, 1, 2]))
    columns = [NAMES.index(name) for name in ("top", "shoe", "bag", "cap")]
    assert seen[:, columns].tolist() == [
        [True, True, True, False],
        [True, False, True, False],  # nobody carries a bag: seen on the top
        [False, True, False, False],
        [False, False, False, False],
    ]


def test_mirrored_batch_mirrors_its_labels(people: People) -> None:
    """The person's patches are where the image changes when it is drawn mirrored."""
    one = People(*(field[:1] for field in people))
    batch = draw_batch(one, torch.Generator().manual_seed(0), size=16)
    plain = one.shares[0].float().div(64).view(16, 8, -1)
    mirrored = [torch.equal(shares.view(16, 8, -1), plain.flip(1)) for shares in batch.shares]
    same = [torch.equal(shares.view(16, 8, -1), plain) for shares in batch.shares]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert any(mirrored)
    assert any(same)
    pixels = one.images[0].float()
    for image, flipped in zip(batch.images, mirrored, strict=True):
        right = torch.stack([image, pixels.flip(2) if flipped else pixels]).flatten(1)
        wrong = torch.stack([image, pixels if flipped else pixels.flip(2)]).flatten(1)
        assert torch.corrcoef(right)[0, 1] > torch.corrcoef(wrong)[0, 1]


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
    sizes = list(ATTRIBUTES.values())
    logits = torch.randn(5, 6, sum(sizes), generator=generator)
    classes = torch.stack([torch.randint(-1, n, (5, 1), generator=generator) for n in sizes], -1)
    weights = torch.rand(5, 6, len(sizes), generator=generator)
    means, start = [], 0
    for a, size in enumerate(sizes):
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


def test_the_class_token_learns_no_attributes_from_hidden_people(people: People) -> None:
    """Other attributes on occluded images leave its loss as it is; on clean ones they do not."""
    generator = torch.Generator().manual_seed(0)
    class_token = torch.randn(36, 8, generator=generator)
    patches, heads = torch.randn(36, TOKENS, 8, generator=generator), Heads(8)

    def loss(changed: torch.Tensor) -> float:
        attributes = people.attributes.clone()
        attributes[changed] = 0
        shares = people.shares.float() / 64
        batch = Batch(people.images, shares, attributes, people.occlusion)
        return batch_losses(class_token, patches, heads, batch, generator).class_attributes.item()

    nothing = torch.zeros(36, dtype=torch.bool)
    assert loss(people.occlusion != NONE) == loss(nothing)
    assert loss(people.occlusion == NONE) != loss(nothing)


def test_attribute_without_weight_changes_nothing() -> None:
    logits = torch.randn(4, sum(ATTRIBUTES.values()), generator=torch.Generator().manual_seed(0))
    logits.requires_grad_()
    classes = torch.zeros(4, len(NAMES), dtype=torch.long)
    weights = torch.ones(4, len(NAMES))
    weights[:, 0] = 0
    attribute_loss(logits, classes, weights).backward()
    assert logits.grad is not None
    assert (logits.grad[:, : ATTRIBUTES["top"]] == 0).all()
    assert (logits.grad[:, ATTRIBUTES["top"] :] != 0).any()


def test_training_lowers_every_loss_on_a_repeated_batch(people: People) -> None:
    trainer = Trainer(steps=40, seed=0)
    batch = draw_batch(people, trainer.generator, size=8)
    history = [torch.stack(trainer.update(batch)).detach() for _ in range(20)]
    assert (torch.stack(history[-3:]).mean(0) < torch.stack(history[:3]).mean(0)).all()


def test_same_seed_gives_the_same_weights(weights: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again.safetensors", tmp_path / "other.safetensors"
    train_small_vit(again, seed=3, steps=3, identities=8)
    train_small_vit(other, seed=4, steps=3, identities=8)
    assert sha256(again) == sha256(weights)
    assert sha256(other) != sha256(weights)
    assert sorted(path.name for path in tmp_path.iterdir()) == [again.name, other.name]


def test_weights_are_a_backbone_without_heads(weights: Path) -> None:
    state = load_file(weights)
    options = BACKBONE.model_copy(update={"weights": str(weights), "sha256": sha256(weights)})
    loaded = create_backbone(options, IMAGE).state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)
    assert weights.stat().st_size < 3e6


def test_report_measures_the_weights(weights: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report_vit(weights, report, seed=0, identities=30, probe=60)
    found = json.loads(report.read_text())
    assert found["checkpoint_sha256"] == sha256(weights)
    assert found["images"] == 90
    assert found["proxy_auc"].keys() == {"class_dot", "class_cosine", "patch_dot", "patch_cosine"}
    assert all(0 < value < 1 for value in found["proxy_auc"].values())
    assert found["attributes"].keys() == {*NAMES, "mean"}
    assert found["attributes"]["mean"]["all"] < 0.9  # three steps teach nobody to see
    assert 0 < found["retrieval_map"]["class"] < 60


def test_measures_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 20, 50) / 20  # with ties
    positive = rng.random(50) < 0.3
    assert area_under_curve(scores, positive) == pytest.approx(roc_auc_score(positive, scores))
    ranked = torch.from_numpy(rng.permuted(np.tile(np.arange(30.0), (4, 1)), axis=1))
    matches = torch.from_numpy(rng.random((4, 30)) < 0.2)
    expected = [average_precision_score(m, s) for m, s in zip(matches, ranked, strict=True)]
    assert mean_average_precision(ranked, matches) == pytest.approx(np.mean(expected))


def test_person_shares_leave_out_background_and_occluder() -> None:
    shares = torch.eye(len(PARTS))
    assert person_shares(shares).tolist() == [0, 1, 1, 1, 1, 1, 1, 0]
