"""The ROC AUC of DPSM's scores against plain loops, and the images that it covers."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.data.shards import ShardReader
from pipeline.data.training_images import TrainingImages
from pipeline.errors import InputError
from pipeline.evaluation.token_quality import TokenQuality, token_auc
from pipeline.model.build import build_model
from pipeline.world.surfaces import PART
from tests.training.tiny_data import make_shards, tiny_options

OPTIONS = tiny_options()


@pytest.fixture
def images(tmp_path: Path) -> TrainingImages:
    folder = tmp_path / "shards"
    folder.mkdir()
    return TrainingImages(ShardReader(make_shards(folder), "train"), OPTIONS.image)


def auc(scores: list[float], person: list[bool]) -> float:
    wins = []
    for i, j in itertools.product(range(len(scores)), repeat=2):
        if person[i] and not person[j]:
            wins.append(1.0 if scores[i] > scores[j] else 0.5 if scores[i] == scores[j] else 0.0)
    return sum(wins) / len(wins) if wins else float("nan")


def test_token_auc_equals_a_plain_loop_over_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randint(6, (20, 15), generator=generator).float()  # ties
    person = torch.rand(20, 15, generator=generator) < 0.4
    person[0], person[1] = True, False
    expected = [auc(s, p) for s, p in zip(scores.tolist(), person.tolist(), strict=True)]
    np.testing.assert_allclose(token_auc(scores, person), expected)


def test_a_score_that_is_not_finite_wins_no_pair() -> None:
    scores = torch.tensor([[torch.nan, 1.0, 0.0, 2.0], [torch.inf, 1.0, torch.inf, 0.0]])
    person = torch.tensor([[True, True, False, False]] * 2)
    np.testing.assert_array_equal(token_auc(scores, person), [0.25, 0.5])


def write_ground_truth(path: Path, images: TrainingImages, occluded: np.ndarray) -> np.ndarray:
    """Write masks of random patches of the person, (M, 4, 2) bool; others alternate."""
    rng = np.random.default_rng(0)
    person = rng.random((len(images), 4, 2)) < 0.5
    other = np.where(np.arange(8).reshape(4, 2) % 2, PART["obstacle"], 0)
    labels = (
        np.where(person, PART["top"], other).astype(np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    )
    order = rng.permutation(len(images))  # the file has another order
    names = np.array([f"bounding_box_train/{key}.jpg" for key in images.keys])
    np.savez(path, name=names[order], labels=labels[order], occlusion=occluded[order])
    return person


@pytest.mark.parametrize("some", [True, False])
def test_auc_covers_occluded_images_or_all_if_none_is(
    images: TrainingImages, tmp_path: Path, some: bool
) -> None:
    occluded = np.zeros(len(images), np.uint8)
    occluded[[1, 4, 5]] = some
    person = write_ground_truth(tmp_path / "ground_truth.npz", images, occluded).reshape(
        len(images), -1
    )
    torch.manual_seed(0)
    model = build_model(OPTIONS, images.identities, pretrained=False)
    found = TokenQuality(images, tmp_path / "ground_truth.npz", OPTIONS).measure(model)
    pixels = torch.stack([torch.from_numpy(images[i].copy()) for i in range(len(images))])
    with torch.no_grad():
        scores = model(pixels.permute(0, 3, 1, 2) / 127.5 - 1).selection.scores
    each = [auc(s, p) for s, p in zip(scores.tolist(), person.tolist(), strict=True)]
    chosen = [each[i] for i in ((1, 4, 5) if some else range(len(images)))]
    assert found == pytest.approx(np.nanmean(chosen), abs=1e-5)
    assert not model.training


def test_an_image_without_masks_is_an_error(images: TrainingImages, tmp_path: Path) -> None:
    write_ground_truth(tmp_path / "ground_truth.npz", images, np.zeros(len(images), np.uint8))
    with np.load(tmp_path / "ground_truth.npz") as file:
        arrays = dict(file)
    key = Path(arrays["name"][7]).stem
    arrays["name"][7] = "bounding_box_train/renamed.jpg"
    np.savez(tmp_path / "ground_truth.npz", **arrays)
    with pytest.raises(InputError, match=f"none of {key} and 0 more"):
        TokenQuality(images, tmp_path / "ground_truth.npz", OPTIONS)
