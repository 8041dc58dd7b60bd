"""The backbone: loading and refusing checkpoints, and the tokens of `encode`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.files import sha256
from pipeline.model.backbone import encode
from pipeline.model.build_backbone import build_backbone
from pipeline.options.run import BackboneOptions, ImageOptions

IMAGE = ImageOptions(height=64, width=32)
SMALL = {"patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2, "mlp_ratio": 2.0}


def options(**values: object) -> BackboneOptions:
    return BackboneOptions(**({"name": "vit_tiny_patch16_224"} | SMALL | values))


def make(seed: int = 0, image: ImageOptions = IMAGE, **values: object) -> nn.Module:
    torch.manual_seed(seed)
    return build_backbone(options(**values), image).eval()


@pytest.fixture
def state() -> dict[str, Tensor]:
    return dict(make(seed=1).state_dict())


def save(folder: Path, state: dict[str, Tensor]) -> str:
    save_file(state, folder / "weights.safetensors")
    return str(folder / "weights.safetensors")


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_weights_load_from_either_format(
    tmp_path: Path, state: dict[str, Tensor], suffix: str
) -> None:
    path = tmp_path / f"weights.{suffix}"
    save_file(state, path) if suffix == "safetensors" else torch.save(state, path)
    loaded = make(weights=str(path), sha256=sha256(path)).state_dict()
    assert all(torch.equal(loaded[name], state[name]) for name in state)
    fresh = build_backbone(options(weights=str(path)), IMAGE, pretrained=False).state_dict()
    assert not torch.equal(fresh["pos_embed"], state["pos_embed"])


def test_missing_changed_or_broken_file_is_refused(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    with pytest.raises(InputError, match=r"nowhere\.pth: no such file"):
        make(weights=str(tmp_path / "nowhere.pth"))
    with pytest.raises(InputError, match="SHA-256"):
        make(weights=save(tmp_path, state), sha256="0" * 64)
    for name in ("broken.pth", "broken.safetensors"):
        (tmp_path / name).write_bytes(b"not weights at all")
        with pytest.raises(InputError, match=name):
            make(weights=str(tmp_path / name))
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    with pytest.raises(InputError, match="found a Tensor"):
        make(weights=str(tmp_path / "tensor.pth"))


@pytest.mark.parametrize(
    ("old", "new"), [((32, 32), (64, 32)), ((64, 32), (128, 64)), ((128, 64), (64, 32))]
)
def test_position_embeddings_are_resampled_over_the_grid(
    tmp_path: Path, old: tuple[int, int], new: tuple[int, int]
) -> None:
    source = make(seed=1, image=ImageOptions(height=old[0], width=old[1])).state_dict()
    image = ImageOptions(height=new[0], width=new[1])
    found = make(image=image, weights=save(tmp_path, dict(source))).pos_embed
    grid = source["pos_embed"][:, 1:].unflatten(1, (old[0] // 8, old[1] // 8)).permute(0, 3, 1, 2)
    size = (new[0] // 8, new[1] // 8)
    expected = nn.functional.interpolate(grid, size, mode="bicubic", antialias=True)
    assert torch.allclose(found[:, 1:], expected.flatten(2).transpose(1, 2), atol=1e-6)
    assert torch.equal(found[:, :1], source["pos_embed"][:, :1])


def test_unknown_grid_of_positions_is_refused(tmp_path: Path, state: dict[str, Tensor]) -> None:
    with pytest.raises(InputError, match=r"32 position embeddings are neither .* 8 x 8"):
        make(image=ImageOptions(height=64, width=64), weights=save(tmp_path, state))


def test_tokens_are_normed_and_in_raster_order() -> None:
    backbone = make()
    images = torch.randn(1, 3, 64, 32)
    changed = images.clone()
    changed[:, :, 16:24, 8:16] += 1  # the patch in row 2, column 1
    with torch.no_grad():
        for block in backbone.blocks:  # without attention a patch changes only its own token
            block.forward = lambda tokens, **_: tokens
        before, after = encode(backbone, images)[1], encode(backbone, changed)[1]
    assert (before != after).any(dim=2)[0].nonzero().flatten().tolist() == [2 * 4 + 1]
    assert torch.allclose(before.mean(dim=2), torch.zeros(1, 32), atol=1e-5)


def test_bfloat16_is_close_and_does_not_change_later_passes() -> None:
    backbone = make()
    images = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        first = encode(backbone, images)[1]
        low = encode(backbone, images, "bfloat16")[1]
        again = encode(backbone, images)[1]
    assert low.dtype == torch.float32
    assert 0 < (low - first).abs().max() < 0.1
    assert torch.equal(first, again)


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(InputError, match="timm cannot build vit_tiny_patch16_224"):
        make(num_heads=5)
