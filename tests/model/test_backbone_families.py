"""Backbones by timm's name: supported families, also with overlapping patches, and others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.model.backbone import encode
from pipeline.model.build_backbone import build_backbone
from pipeline.options.run import BackboneOptions, ImageOptions

IMAGE = ImageOptions(height=64, width=32)
SMALL = {"patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 2}

FAMILIES = {
    "deit_tiny_distilled_patch16_224": 2,  # a distillation token beside the class token
    "deit3_small_patch16_224": 1,  # no position for the class token
    "vit_small_patch14_reg4_dinov2": 5,  # registers, no position for them
    "vit_base_patch16_clip_224": 1,  # a norm before the blocks
    "eva02_tiny_patch14_224": 1,  # rotary and absolute positions, pools by average
    "vit_small_patch16_dinov3": 5,  # rotary positions only, registers
    "beit_base_patch16_224": 1,  # relative positions only, pools by average
}
"""Supported backbones, with the number of tokens before the patches."""

UNSUPPORTED = {
    "vit_of_mine": "timm knows no model 'vit_of_mine'",
    "vit_base_patch16_siglip_224": "has no class token",
    "vit_base_patch16_reg4_gap_256": "has no class token",  # its first token is a register
    "cait_xxs24_224": "is timm's Cait,",
    "xcit_nano_12_p16_224": "is timm's Xcit,",
    "vit_tiny_r_s16_p8_224": "makes its tokens by convolutions",
    "vit_intern300m_patch14_448": "does not normalise its tokens",
    "swin_tiny_patch4_window7_224": "timm cannot build",
}


def make(name: str, seed: int = 0, **values: object) -> nn.Module:
    torch.manual_seed(seed)
    options = BackboneOptions.model_validate({"name": name} | SMALL | values)
    return build_backbone(options, IMAGE).eval()


def images() -> Tensor:
    return torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(1))


def skip_blocks(backbone: nn.Module) -> None:
    for block in backbone.blocks:
        block.forward = lambda tokens, **_: tokens


@pytest.mark.parametrize(("stride", "grid"), [(None, (8, 4)), (4, (15, 7))])
@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_the_class_token_comes_first_and_the_patches_after_the_final_norm(
    name: str, stride: int | None, grid: tuple[int, int]
) -> None:
    backbone = make(name, stride=stride)
    inputs: list[Tensor] = []
    backbone.norm.register_forward_pre_hook(lambda norm, given: inputs.append(given[0]))
    class_token, patches = encode(backbone, images())
    assert class_token.shape == (2, 48)
    assert patches.shape == (2, grid[0] * grid[1], 48)
    assert inputs[0].shape[1] == FAMILIES[name] + grid[0] * grid[1]
    tokens = nn.functional.layer_norm(inputs[0], (48,), eps=backbone.norm.eps)
    assert torch.allclose(class_token, tokens[:, 0], atol=1e-5)
    assert torch.allclose(patches, tokens[:, FAMILIES[name] :], atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_first_token_is_the_class_token_of_timm(name: str) -> None:
    backbone = make(name)
    skip_blocks(backbone)  # the first token then depends on the class token alone
    before = encode(backbone, images())
    backbone.cls_token += 1 + torch.arange(48) % 3  # the norm would hide a shift
    after = encode(backbone, images())
    assert not torch.allclose(before[0], after[0], atol=1e-2)
    assert torch.equal(before[1], after[1])


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_shift_is_added_to_every_token_and_does_not_change_later_passes(name: str) -> None:
    backbone, shift = make(name), torch.randn(2, 48)
    inputs: list[Tensor] = []
    backbone.norm.register_forward_pre_hook(lambda norm, given: inputs.append(given[0]))
    skip_blocks(backbone)
    for given in (None, shift, None):
        encode(backbone, images(), shift=given)
    before, shifted, after = inputs
    assert torch.allclose(shifted - before, shift[:, None].expand_as(before), atol=1e-5)
    assert torch.equal(before, after)


@pytest.mark.parametrize("stride", [None, 4])
@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_weights_for_square_images_load_for_rectangular_ones(
    name: str, stride: int | None, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    square = build_backbone(
        BackboneOptions(name=name, **SMALL), ImageOptions(height=224, width=224)
    )
    path = tmp_path / "weights.safetensors"
    save_file({key: value.contiguous() for key, value in square.state_dict().items()}, path)
    loaded = make(name, weights=str(path), stride=stride).state_dict()
    for key, value in square.state_dict().items():
        if loaded[key].shape == value.shape:
            assert torch.equal(loaded[key], value), key
        else:
            assert "pos" in key, key
    save_file({key: value.contiguous() for key, value in loaded.items()}, path)
    again = make(name, seed=2, weights=str(path), stride=stride)
    assert all(torch.equal(value, loaded[key]) for key, value in again.state_dict().items())


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported_network_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"config: backbone.*{name}.*") as error:
        make(name)
    assert UNSUPPORTED[name] in str(error.value)
