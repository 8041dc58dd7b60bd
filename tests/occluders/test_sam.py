from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipeline.errors import InputError
from pipeline.occluders.sam import BUILDERS, build_sam, small_sam
from pipeline.options.occluders import SamOptions


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sam") / "small.safetensors"
    torch.manual_seed(3)
    save_file(small_sam().state_dict(), path)
    return path


def small(path: Path, digest: str | None = None) -> SamOptions:
    return SamOptions(model="small", checkpoint=str(path), sha256=digest)


def test_small_sam_has_the_interface_of_segment_anything(checkpoint: Path) -> None:
    sam = build_sam(small(checkpoint))
    image = {"image": torch.zeros(3, 192, 144), "original_size": (200, 150)}
    points = {"point_coords": torch.ones(5, 1, 2), "point_labels": torch.ones(5, 1)}
    [out] = sam([image | points], multimask_output=True)
    assert out["masks"].shape == (5, 3, 200, 150)
    assert out["low_res_logits"].shape == (5, 3, 48, 48)
    assert out["iou_predictions"].shape == (5, 3)
    assert not sam.training
    assert sum(parameter.numel() for parameter in sam.parameters()) == pytest.approx(
        668e3, rel=0.01
    )


def test_the_loaded_weights_are_those_of_the_file(checkpoint: Path) -> None:
    torch.manual_seed(3)
    expected = small_sam().state_dict()
    loaded = build_sam(small(checkpoint)).state_dict()
    assert all(torch.equal(loaded[key], expected[key]) for key in expected)


def test_the_official_models_are_known_by_their_names() -> None:
    assert set(BUILDERS) == {"small", "vit_b", "vit_l", "vit_h"}


@pytest.mark.parametrize(
    ("model", "name"), [("vit_h", "sam_vit_h_4b8939.pth"), ("small", "snakemake demo_weights")]
)
def test_a_missing_checkpoint_names_its_source(model: str, name: str, tmp_path: Path) -> None:
    options = SamOptions.model_validate({"model": model, "checkpoint": str(tmp_path / "none.pth")})
    with pytest.raises(InputError, match=name):
        build_sam(options)


def test_only_the_configured_hash_is_accepted(checkpoint: Path) -> None:
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    build_sam(small(checkpoint, digest))
    with pytest.raises(InputError, match=f"found {digest}"):
        build_sam(small(checkpoint, "0" * 64))


def test_official_model_accepts_only_its_published_file(checkpoint: Path) -> None:
    with pytest.raises(InputError, match="01ec64d29a2fca3f0661936605ae66f8"):
        build_sam(SamOptions(model="vit_b", checkpoint=str(checkpoint)))


def test_every_key_that_does_not_fit_is_listed(checkpoint: Path, tmp_path: Path) -> None:
    state = small_sam().state_dict()
    state["extra.weight"] = torch.zeros(1)
    state["image_encoder.pos_embed"] = torch.zeros(1, 4, 4, 96)
    del state["mask_decoder.iou_token.weight"]
    save_file(state, tmp_path / "other.safetensors")
    with pytest.raises(InputError) as error:
        build_sam(small(tmp_path / "other.safetensors"))
    message = str(error.value)
    assert "mask_decoder.iou_token.weight is missing" in message
    assert "extra.weight is unexpected" in message
    assert "image_encoder.pos_embed has shape (1, 4, 4, 96), expected (1, 12, 12, 96)" in message


class Trap:
    """Unpickling this object creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path(self.path).touch.__func__, (self.path,))  # type: ignore[attr-defined]


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    torch.save({"weights": Trap(tmp_path / "ran")}, tmp_path / "trap.pth")
    with pytest.raises(InputError, match=r"trap\.pth"):
        build_sam(small(tmp_path / "trap.pth"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_invalid_checkpoint_is_named(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"broken.{suffix}"
    path.write_bytes(b"not weights at all")
    with pytest.raises(InputError, match="broken"):
        build_sam(small(path))


def test_common_prefix_is_removed(tmp_path: Path) -> None:
    """As in weights of a network trained on several GPUs."""
    torch.manual_seed(3)
    state = small_sam().state_dict()
    prefixed = {f"module.{name}": value for name, value in state.items()}
    torch.save({"model": prefixed}, tmp_path / "sam.pth")
    loaded = build_sam(small(tmp_path / "sam.pth")).state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())
