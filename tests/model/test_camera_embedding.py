"""The camera embedding: its effect on the tokens, and refused cameras."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pipeline.errors import InputError
from pipeline.model.build import build_model
from pipeline.model.cameras import CameraEmbedding
from pipeline.model.dpeformer import DPEFormer
from pipeline.options.run import ImageOptions, ModelOptions, RunOptions
from tests.tiny import tiny_backbone

CAMERAS = [2, 5, 6]


def make(strength: float = 3.0) -> DPEFormer:
    torch.manual_seed(0)
    backbone = tiny_backbone(depth=2, camera_embedding=strength)
    options = RunOptions(
        image=ImageOptions(height=64, width=32), backbone=backbone, model=ModelOptions(k_min=6)
    )
    return build_model(options, 11, pretrained=False, cameras=CAMERAS).eval()


def images(count: int = 4) -> Tensor:
    return torch.randn(count, 3, 64, 32, generator=torch.Generator().manual_seed(1))


def test_the_table_starts_small_and_is_scaled_by_the_strength() -> None:
    torch.manual_seed(0)
    embedding = CameraEmbedding(range(50), 64, 3.0)
    assert 0.018 < embedding.table.std() < 0.022
    rows = torch.tensor([7, 0, 7])
    assert torch.equal(embedding(rows), 3.0 * embedding.table[[7, 0, 7]])


def test_a_camera_is_looked_up_by_its_number() -> None:
    embedding = CameraEmbedding(CAMERAS, 8, 1.0)
    rows = embedding.rows([6, 2, 2, 5], ["a", "b", "c", "d"])
    assert rows.tolist() == [2, 0, 0, 1]
    assert rows.dtype == torch.int64


def test_unseen_camera_is_refused_with_advice() -> None:
    embedding = CameraEmbedding(CAMERAS, 8, 1.0)
    with pytest.raises(InputError) as error:
        embedding.rows([5, 1, 9], ["fine", "0007_c1", "0008_c9"])
    message = str(error.value)
    assert message.startswith("image 0007_c1: found camera 1,")
    for part in ("(2, 5, 6)", "backbone.camera_embedding 0", "train on images of camera 1 too"):
        assert part in message


def test_renamed_cameras_are_looked_up_by_their_new_numbers_only() -> None:
    embedding = CameraEmbedding(CAMERAS, 8, 1.0)
    embedding.rename({1: 5, 2: 6})
    assert embedding.rows([2, 1], ["a", "b"]).tolist() == [2, 1]
    with pytest.raises(InputError, match=r"image a: found camera 5, .*\(1, 2\)"):
        embedding.rows([5], ["a"])


def test_missing_cameras_are_an_error() -> None:
    with pytest.raises(ValueError, match="expected the camera of each image"):
        make()(images())


@torch.no_grad()
def test_embedding_is_added_to_every_token_before_the_first_block() -> None:
    model, given = make(), []
    model.backbone.blocks[0].norm1.register_forward_pre_hook(lambda norm, x: given.append(x[0]))
    rows = torch.tensor([0, 2, 1, 2])
    model(images(), rows)
    model.camera_embedding.table.zero_()
    table = make().camera_embedding.table
    model(images(), rows)
    with_, without = given
    assert with_.shape == (4, 1 + 32, 32)
    assert torch.allclose(with_ - without, 3.0 * table[rows][:, None].expand(-1, 33, -1), atol=1e-6)


@torch.no_grad()
def test_features_depend_on_the_images_own_camera_only() -> None:
    model, rows = make(), torch.tensor([0, 1, 2, 1])
    together = model(images(), rows).blended
    for i in range(4):
        alone = model(images()[i : i + 1], rows[i : i + 1]).blended
        assert torch.allclose(together[i], alone[0], atol=1e-5)
    changed = model(images(), torch.tensor([0, 2, 2, 1])).blended
    assert [bool((changed[i] - together[i]).abs().max() > 1e-4) for i in range(4)] == [
        *(False, True, False, False)
    ]


def test_only_cameras_of_the_batch_get_a_gradient() -> None:
    model = make()
    model(images(), torch.tensor([0, 2, 0, 2])).blended.square().sum().backward()
    moved = model.camera_embedding.table.grad.abs().amax(dim=1) > 0
    assert moved.tolist() == [True, False, True]


@torch.no_grad()
def test_strength_0_has_no_embedding() -> None:
    off = make(strength=0.0)
    assert off.camera_embedding is None
    assert not any("camera" in name for name in off.state_dict())
    with_cameras, without = off(images(), torch.tensor([0, 1, 2, 0])), off(images())
    assert torch.equal(with_cameras.blended, without.blended)
