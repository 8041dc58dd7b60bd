from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from pipeline.errors import InputError
from pipeline.files import sha256
from pipeline.occluders.rle import decode_rle
from pipeline.occluders.sam import small_sam
from pipeline.occluders.segment import segment
from pipeline.options.compute import ComputeOptions
from pipeline.options.occluders import GeneratorOptions, SamOptions, SourceOptions

LOOSE = GeneratorOptions(points_per_side=3, predicted_iou=0.0, stability=0.0, box_nms=0.9)
CPU = ComputeOptions(device="cpu")


@pytest.fixture(scope="module")
def sam(tmp_path_factory: pytest.TempPathFactory) -> SamOptions:
    path = tmp_path_factory.mktemp("sam") / "random.safetensors"
    torch.manual_seed(0)
    save_file(small_sam().state_dict(), path)
    return SamOptions(model="small", checkpoint=str(path))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two small images at two depths, and a file that is not an image."""
    folder = tmp_path / "images"
    (folder / "a").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, shape in (("b.png", (48, 64, 3)), ("a/z.jpg", (64, 40, 3))):
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(folder / name)
    (folder / "notes.txt").write_text("no image")
    return folder


def run(images: Path, masks: Path, sam: SamOptions, generator: GeneratorOptions = LOOSE) -> None:
    segment(images, masks, masks.with_suffix(".checkpoint"), sam, generator, CPU, SourceOptions())


def records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_masks_follow_the_schema_of_sa1b(images: Path, sam: SamOptions, tmp_path: Path) -> None:
    run(images, tmp_path / "masks.jsonl", sam)
    first, second = records(tmp_path / "masks.jsonl")
    facts = {"image_id": 0, "width": 40, "height": 64, "file_name": "a/z.jpg"}
    assert first["image"] == facts | {"sha256": sha256(images / "a/z.jpg")}
    facts = {"image_id": 1, "width": 64, "height": 48, "file_name": "b.png"}
    assert second["image"] == facts | {"sha256": sha256(images / "b.png")}
    assert first["annotations"]
    for record in (first, second):
        for annotation in record["annotations"]:
            mask = decode_rle(annotation["segmentation"])
            assert mask.shape == (record["image"]["height"], record["image"]["width"])
            assert mask.sum() == annotation["area"]
            assert {"bbox", "predicted_iou", "stability_score", "crop_box", "point_coords"} < set(
                annotation
            )
            assert 0 <= annotation["stability_score"] <= 1


def test_the_same_images_give_the_same_bytes(images: Path, sam: SamOptions, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(images, tmp_path / name, sam)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_image_without_masks_has_a_line(images: Path, sam: SamOptions, tmp_path: Path) -> None:
    strict = GeneratorOptions(points_per_side=2, predicted_iou=1.0, stability=1.0)
    run(images, tmp_path / "masks.jsonl", sam, strict)
    assert [record["annotations"] for record in records(tmp_path / "masks.jsonl")] == [[], []]


def test_all_broken_images_are_named_and_nothing_is_written(
    images: Path, sam: SamOptions, tmp_path: Path
) -> None:
    (images / "empty.png").touch()
    whole = (images / "b.png").read_bytes()
    (images / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"(?s)cut\.png.*empty\.png"):
        run(images, tmp_path / "masks.jsonl", sam)
    assert not list(tmp_path.glob("*masks*"))


def test_a_folder_without_images_is_an_error(sam: SamOptions, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="expected a folder with images"):
        run(tmp_path / "empty", tmp_path / "masks.jsonl", sam)
