from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.occluders.sam import SMALL_SIDE, small_sam
from pipeline.pretraining import sam_scenes
from pipeline.pretraining.sam_losses import decode, logits_iou, mask_losses
from pipeline.pretraining.sam_report import report_sam, summarise
from pipeline.pretraining.sam_scenes import (
    HELD_OUT,
    TRAINING,
    Scenes,
    read_scenes,
    render_scenes,
    sample_scene_batch,
)
from pipeline.pretraining.small_sam import SamTrainer, initialise, train_small_sam
from pipeline.world.scenes import SceneMaker
from tests.pretraining.conftest import BODY


@pytest.fixture(scope="module")
def scenes_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes rendered at the input size of the network."""
    path = tmp_path_factory.mktemp("scenes") / "scenes.npz"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sam_scenes, "RENDERED_SIDE", SMALL_SIDE)
        render_scenes(BODY, path, seed=0, count=6)
    return path


@pytest.fixture(scope="module")
def scenes(scenes_file: Path) -> Scenes:
    return read_scenes(scenes_file)


def test_scenes_depend_on_family_and_seed(scenes: Scenes) -> None:
    family, held_out, other = (
        SceneMaker(BODY, seed, SMALL_SIDE)(3)
        for seed in ([TRAINING, 0], [HELD_OUT, 0], [TRAINING, 1])
    )
    np.testing.assert_array_equal(scenes.images[3].permute(1, 2, 0), family.image)
    np.testing.assert_array_equal(scenes.instances[3], family.instances)
    assert not np.array_equal(family.image, held_out.image)
    assert not np.array_equal(family.image, other.image)


def test_boxes_bound_the_instances(scenes: Scenes) -> None:
    rows, columns = np.nonzero(scenes.instances[1].numpy() == 1)
    x, y, width, height = scenes.boxes[1, 1].tolist()
    half = SMALL_SIDE / 2
    assert half * (x + 1 - width / 2) == pytest.approx(columns.min())
    assert half * (x + 1 + width / 2) == pytest.approx(columns.max())
    assert half * (y + 1 - height / 2) == pytest.approx(rows.min())
    assert half * (y + 1 + height / 2) == pytest.approx(rows.max())


def test_each_prompt_is_on_the_object_of_its_mask(scenes: Scenes) -> None:
    rng = np.random.default_rng(0)
    flipped = set()
    for _ in range(8):
        batch = sample_scene_batch(scenes, rng, images=3, points=4)
        assert batch.masks.shape == (12, 1, SMALL_SIDE // 4, SMALL_SIDE // 4)
        for n, (x, y) in enumerate(batch.points.long().tolist()):
            instances = batch.instances[n // 4]
            number = int(instances[y, x])
            assert (number == 0) == bool(batch.background[n])
            assert float(batch.masks[n].sum()) * 16 == (number > 0) * int(
                (instances == number).sum()
            )
        flipped.add(any(torch.equal(batch.instances[0], s.long()) for s in scenes.instances))
    assert flipped == {True, False}


def test_scene_without_background_prompts_objects_only() -> None:
    instances = torch.ones(SMALL_SIDE, SMALL_SIDE, dtype=torch.uint8)
    rng, targets = np.random.default_rng(0), torch.tensor([False, True])
    assert {sam_scenes._prompt(instances, targets, rng)[0] for _ in range(40)} == {1}


def test_batched_decoder_equals_segment_anything() -> None:
    torch.manual_seed(0)
    model = initialise(small_sam()).eval()
    points = torch.tensor([[20.0, 30.0], [90.0, 64.0], [5.0, 100.0], [64.0, 64.0]])[:, None]
    with torch.no_grad():
        sparse, dense = model.prompt_encoder((points, torch.ones(4, 1)), None, None)
        embedding = torch.randn(2, 64, SMALL_SIDE // 16, SMALL_SIDE // 16)
        positions = model.prompt_encoder.get_dense_pe()
        masks, quality = decode(model.mask_decoder, embedding, positions, sparse, dense)
        for image in range(2):
            own = slice(2 * image, 2 * image + 2)
            expected = model.mask_decoder(
                embedding[image : image + 1], positions, sparse[own], dense[own], True
            )
            torch.testing.assert_close(masks[own], expected[0])
            torch.testing.assert_close(quality[own], expected[1])


def test_mask_loss_is_0_for_a_perfect_mask_and_largest_for_an_empty_one() -> None:
    target = torch.zeros(1, 1, 32, 32)
    target[..., 5:20, 8:30] = 1
    perfect, empty, half = 40 * target - 20, torch.full_like(target, -20), 40 * target - 20
    half[..., :12, :] = -20
    logits = torch.cat([perfect, half, empty], 1)
    for focal_fraction in (0.0, 0.5, 1.0):
        losses = mask_losses(logits, target, focal_fraction)[0]
        assert losses[0] == pytest.approx(0, abs=1e-3)
        assert losses[0] < losses[1] < losses[2]
    assert logits_iou(logits, target)[0].tolist() == pytest.approx([1, 8 / 15, 0])


def test_steps_on_one_batch_lower_its_loss(scenes: Scenes) -> None:
    trainer = SamTrainer(steps=100, seed=0)
    batch = sample_scene_batch(scenes, np.random.default_rng(0), images=2, points=4)
    losses = [trainer.update(step, batch).total.item() for step in range(45)]
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])


@pytest.mark.long
def test_same_seed_gives_the_same_weights(scenes_file: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        weights, checkpoint = tmp_path / f"{name}.safetensors", tmp_path / "checkpoint.pt"
        train_small_sam(scenes_file, weights, checkpoint, seed=1, steps=3)
    one, two = (load_file(tmp_path / f"{name}.safetensors") for name in ("one", "two"))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert set(one) == set(small_sam().state_dict())


def test_summary_counts_masks_and_objects() -> None:
    found = [
        {"masks": [0.9, 0.2], "objects": [0.9, 0.1, 0.5], "points": [0.6]},
        {"masks": [], "objects": [0.0], "points": [0.2]},
    ]
    figures = summarise(found)
    assert (figures["scenes"], figures["kept"], figures["objects"]) == (2, 2, 4)
    assert figures["precision"] == 0.5
    assert figures["mask_iou"] == pytest.approx(0.55)
    assert figures["recall"] == 0.5
    assert figures["point_iou"] == pytest.approx(0.4)


def test_the_report_of_an_untrained_model_is_written(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_file(small_sam().state_dict(), tmp_path / "sam.safetensors")
    report_sam(tmp_path / "sam.safetensors", BODY, tmp_path / "report.json", scenes=2)
    figures = json.loads((tmp_path / "report.json").read_text())
    assert figures["all"]["scenes"] == 2
    assert figures["all"]["objects"] >= 2
    assert 0 <= figures["all"]["point_iou"] < 0.5
