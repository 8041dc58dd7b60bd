"""Checkpoints in the layouts of their authors: loading, resampling and refusal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from timm.layers import resample_abs_pos_embed
from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.model.build_backbone import build_backbone
from pipeline.options.run import BackboneOptions, ImageOptions

IMAGE = ImageOptions(height=256, width=128)
WIDTH, DEPTH = 24, 2
State = dict[str, Tensor]


def block(i: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for norm in ("norm1", "norm2"):
        yield from ((f"blocks.{i}.{norm}.{kind}", (WIDTH,)) for kind in ("weight", "bias"))
    shapes = {
        "attn.qkv": (3 * WIDTH, WIDTH),
        "attn.proj": (WIDTH, WIDTH),
        "mlp.fc1": (4 * WIDTH, WIDTH),
        "mlp.fc2": (WIDTH, 4 * WIDTH),
    }
    for name, shape in shapes.items():
        yield f"blocks.{i}.{name}.weight", shape
        yield f"blocks.{i}.{name}.bias", shape[:1]


@pytest.fixture
def jx() -> State:
    """Weights named as in jx_vit_base_p16_224-80ecf9dd.pth, but narrower and shallower."""
    shapes = {
        "cls_token": (1, 1, WIDTH),
        "pos_embed": (1, 1 + 14 * 14, WIDTH),
        "patch_embed.proj.weight": (WIDTH, 3, 16, 16),
        "patch_embed.proj.bias": (WIDTH,),
        **dict(pair for i in range(DEPTH) for pair in block(i)),
        "norm.weight": (WIDTH,),
        "norm.bias": (WIDTH,),
        "head.weight": (1000, WIDTH),
        "head.bias": (1000,),
    }
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def load(path: Path, state: object, **values: object) -> nn.Module:
    torch.save(state, path)
    given = {"name": "vit_base_patch16_224", "embed_dim": WIDTH, "depth": DEPTH, "num_heads": 2}
    options = BackboneOptions.model_validate(given | {"weights": str(path)} | values)
    return build_backbone(options, IMAGE)


@pytest.mark.parametrize(("stride", "grid"), [(None, [16, 8]), (16, [16, 8]), (12, [21, 10])])
def test_an_imagenet_checkpoint_is_read_and_its_positions_resampled(
    tmp_path: Path, jx: State, stride: int | None, grid: list[int]
) -> None:
    loaded = load(tmp_path / "jx.pth", jx, stride=stride).state_dict()
    expected = resample_abs_pos_embed(jx["pos_embed"], grid, [14, 14], num_prefix_tokens=1)
    assert loaded["pos_embed"].shape == (1, 1 + grid[0] * grid[1], WIDTH)
    assert torch.equal(loaded["pos_embed"], expected)
    same = {name for name in jx if not name.startswith("head.")} - {"pos_embed"}
    assert set(loaded) == same | {"pos_embed"}  # the classifier of ImageNet is dropped
    assert all(torch.equal(loaded[name], jx[name]) for name in same)


def test_resampled_positions_keep_their_image_coordinates(tmp_path: Path, jx: State) -> None:
    """Embeddings that hold their own coordinates are resampled to those of the new grid."""
    middles = (torch.arange(14) + 0.5) / 14
    square = torch.cartesian_prod(middles, middles)  # (196, 2)
    jx["pos_embed"][0, 1:, :2] = square
    found = load(tmp_path / "jx.pth", jx, stride=12).pos_embed[0, 1:, :2].unflatten(0, (21, 10))
    for axis, count in ((0, 21), (1, 10)):
        expected = (torch.arange(count) + 0.5) / count
        shape = (-1, 1) if axis == 0 else (1, -1)
        assert (found[..., axis] - expected.view(shape)).abs().max() < 0.02  # bicubic at the border


def test_older_and_nested_checkpoints_are_read(tmp_path: Path, jx: State) -> None:
    expected = load(tmp_path / "jx.pth", jx).state_dict()
    old = jx | {
        "patch_embed.proj.weight": jx["patch_embed.proj.weight"].flatten(1),
        "pre_logits.fc.weight": torch.zeros(WIDTH, WIDTH),
        "pre_logits.fc.bias": torch.zeros(WIDTH),
    }
    loaded = load(tmp_path / "old.pth", {"model": old}).state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in expected.items())


def test_every_mismatched_key_is_named(tmp_path: Path, jx: State) -> None:
    missing = ["norm.weight", "blocks.1.mlp.fc2.bias", "cls_token"]
    for name in missing:
        del jx[name]
    jx["blocks.0.norm1.weight"] = torch.zeros(7)
    jx |= {"blocks.2.norm1.weight": torch.zeros(WIDTH), "dist_token": torch.zeros(1, 1, WIDTH)}
    with pytest.raises(InputError, match=r"jx\.pth: does not fit") as error:
        load(tmp_path / "jx.pth", jx)
    message = str(error.value)
    assert all(f"{name} is missing" in message for name in missing)
    assert all(
        f"{name} is unexpected" in message for name in ("blocks.2.norm1.weight", "dist_token")
    )
    assert f"blocks.0.norm1.weight has shape (7,), expected ({WIDTH},)" in message
    assert message.count(";") == 5  # six problems, no more


def test_published_dinov2_with_registers_is_read(tmp_path: Path, jx: State) -> None:
    """Its grid is square, and it has a position for the class token, unlike timm's model."""
    state = {name: value for name, value in jx.items() if not name.startswith("head.")}
    state |= {"pos_embed": torch.randn(1, 1 + 37 * 37, WIDTH)}
    state |= {"register_tokens": torch.randn(1, 4, WIDTH), "mask_token": torch.zeros(1, WIDTH)}
    for i in range(DEPTH):
        state |= {f"blocks.{i}.ls{j}.gamma": torch.randn(WIDTH) for j in (1, 2)}
    state["patch_embed.proj.weight"] = torch.randn(WIDTH, 3, 14, 14)
    name = "vit_small_patch14_reg4_dinov2"
    loaded = load(tmp_path / "d.pth", state, name=name, patch_size=14, stride=12).state_dict()
    assert torch.equal(loaded["cls_token"], state["cls_token"] + state["pos_embed"][:, :1])
    assert torch.equal(loaded["reg_token"], state["register_tokens"])
    expected = resample_abs_pos_embed(state["pos_embed"][:, 1:], [21, 10], [37, 37], 0)
    assert torch.equal(loaded["pos_embed"], expected)


def test_norm_of_an_average_pooling_network_becomes_the_final_norm(
    tmp_path: Path, jx: State
) -> None:
    pooled = {name.replace("norm.", "fc_norm."): value for name, value in jx.items()}
    assert "fc_norm.weight" in pooled
    loaded = load(tmp_path / "pooled.pth", pooled).state_dict()
    assert torch.equal(loaded["norm.weight"], jx["norm.weight"])
    assert torch.equal(loaded["norm.bias"], jx["norm.bias"])
