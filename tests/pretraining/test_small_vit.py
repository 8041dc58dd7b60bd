"""The small ViT's training and its report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from timm.layers import use_fused_attn

from pipeline.files import sha256
from pipeline.model.build_backbone import build_backbone
from pipeline.pretraining.small_vit import (
    BACKBONE,
    IMAGE,
    VitTrainer,
    sample_people_batch,
    train_small_vit,
)
from pipeline.pretraining.teacher import TeacherFeatures, read_teacher_features
from pipeline.pretraining.vit_people import People, read_people
from pipeline.pretraining.vit_report import report_vit
from pipeline.world.people import ATTRIBUTES
from tests.pretraining.conftest import IMAGES, write_random_people, write_random_teacher_features

IDENTITIES = 30


@pytest.fixture(scope="module")
def features(people: People, tmp_path_factory: pytest.TempPathFactory) -> TeacherFeatures:
    """Random features for the rendered people."""
    folder = tmp_path_factory.mktemp("lessons")
    return read_teacher_features(
        write_random_teacher_features(folder / "lessons.npz", len(people.images))
    )


@pytest.fixture(scope="module")
def random_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Random people and teacher features."""
    folder = tmp_path_factory.mktemp("random")
    return (
        write_random_people(folder / "people.npz", IDENTITIES),
        write_random_teacher_features(folder / "lessons.npz", IDENTITIES * IMAGES),
    )


@pytest.fixture(scope="module")
def weights(random_files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vit") / "weights.safetensors"
    train_small_vit(*random_files, path, path.with_suffix(".pt"), seed=3, steps=3)
    return path


def test_batch_has_all_images_of_neighbours(random_files: tuple[Path, Path]) -> None:
    people, features = read_people(random_files[0]), read_teacher_features(random_files[1])
    generator = torch.Generator().manual_seed(0)
    sampled = set()
    for _ in range(20):
        batch = sample_people_batch(people, features, generator, identities=6)
        chosen, counts = batch.identity.unique(return_counts=True)
        assert (counts == IMAGES).all()
        assert 3 <= len(chosen) <= 6
        starts = [(chosen - start) % IDENTITIES < 6 for start in chosen.tolist()]
        assert any((one | other).all() for one in starts for other in starts)
        sampled |= set(chosen.tolist())
    assert sampled == set(range(IDENTITIES))


def test_mirrored_images_have_mirrored_labels_and_features(
    people: People, features: TeacherFeatures
) -> None:
    """Each image of the batch resembles its original or the mirrored original."""
    generator = torch.Generator().manual_seed(0)
    batch = sample_people_batch(people, features, generator, identities=8)
    rows = torch.nonzero(torch.isin(people.identity, batch.identity.unique()))[:, 0]
    assert len(rows) == len(batch.images)
    flips = []
    for index, row in enumerate(rows.tolist()):
        pairs = (
            (batch.part_fractions[index], people.part_pixels[row].float() / 64),
            (batch.teacher_patches[index], features.patches[row].float()),
        )
        flips.append(torch.equal(batch.teacher_patches[index], pairs[1][1]) is False)
        for found, original in pairs:
            grid = original.view(16, 8, -1)
            assert torch.equal(found.view(16, 8, -1), grid.flip(1) if flips[-1] else grid)
        plain = people.images[row].float()
        correlations = [
            torch.corrcoef(torch.stack([batch.images[index], other]).flatten(1))[0, 1]
            for other in (plain.flip(2), plain)
        ]
        assert (correlations[0] > correlations[1]) == flips[-1]
        assert torch.equal(batch.teacher_images[index], features.images[row].float())
    assert {True, False} == set(flips)


def test_training_lowers_every_loss_on_a_repeated_batch(
    people: People, features: TeacherFeatures
) -> None:
    trainer = VitTrainer(steps=40, seed=0)
    generator = torch.Generator().manual_seed(0)
    batch = sample_people_batch(people, features, generator, identities=4)
    history = [torch.stack(trainer.update(step, batch, generator)).detach() for step in range(20)]
    assert (torch.stack(history[-3:]).mean(0) < torch.stack(history[:3]).mean(0)).all()
    assert use_fused_attn(), "other networks of the process compute attention in another way"


@pytest.mark.long
def test_same_seed_gives_the_same_weights(
    random_files: tuple[Path, Path], weights: Path, tmp_path: Path
) -> None:
    again, other = tmp_path / "again.safetensors", tmp_path / "other.safetensors"
    checkpoint = tmp_path / "checkpoint.pt"
    train_small_vit(*random_files, again, checkpoint, seed=3, steps=3)
    train_small_vit(*random_files, other, checkpoint, seed=4, steps=3)
    assert sha256(again) == sha256(weights)
    assert sha256(other) != sha256(weights)
    assert sorted(path.name for path in tmp_path.iterdir()) == [again.name, other.name]


def test_weights_load_as_a_backbone_without_heads(weights: Path) -> None:
    state = load_file(weights)
    options = BACKBONE.model_copy(update={"weights": str(weights), "sha256": sha256(weights)})
    loaded = build_backbone(options, IMAGE).state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)
    assert weights.stat().st_size < 3e6


def test_report_measures_the_weights(
    random_files: tuple[Path, Path], weights: Path, tmp_path: Path
) -> None:
    probe = write_random_people(tmp_path / "probe.npz", 40, seed=1)
    report_vit(weights, random_files[0], probe, tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["checkpoint_sha256"] == sha256(weights)
    assert (found["identities"], found["images"]) == (IDENTITIES, IDENTITIES * IMAGES)
    assert found["proxy_auc"].keys() == {"class_dot", "class_cosine", "patch_dot", "patch_cosine"}
    assert all(0 < value < 1 for value in found["proxy_auc"].values())
    assert found["attributes"].keys() == {*ATTRIBUTES, "mean"}
    # labels and images are random
    assert found["attributes"]["mean"]["all"] < found["attributes"]["mean"]["chance"] + 0.15
    assert 0 < found["retrieval_map"]["class"] < 40
