"""Several datasets as one training set: nobody and no camera is in two of them."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.joint import PARTS, join, joint_cameras, read_parts
from pipeline.data.shards import HASHES, Sample, ShardReader, write_index, write_shards
from pipeline.data.training_images import TrainingImages
from pipeline.errors import InputError
from pipeline.files import read_json, sha256
from pipeline.options.run import ImageOptions
from tests.miniatures import encode

FAR = 10**17
"""A large identity, as a user's own folder may have."""
TRAIN = {"shop": [(7, 1), (7, 2), (FAR, 9)], "gate": [(1, 2), (7, 1), (7, 2)]}
"""Identity and camera of the training images of two datasets."""


def write_dataset(folder: Path, rows: list[tuple[int, int]], split: str = "train") -> Path:
    """Write shards with one image of a colour of its own per row."""
    folder.mkdir(parents=True)
    samples = []
    for i, (identity, camera) in enumerate(rows):
        image = np.full((8, 4, 3), (identity % 200, camera, len(folder.parent.name)), np.uint8)
        meta = {"identity": identity, "camera": camera}
        samples.append(Sample(f"im_{i}", "png", encode(image), meta))
    write_index(folder, write_shards(folder, split, samples))
    return folder


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    return [write_dataset(tmp_path / name / "shards", rows) for name, rows in TRAIN.items()]


@pytest.fixture
def joined(parts: list[Path], tmp_path: Path) -> Path:
    shards = tmp_path / "shop+gate" / "shards"
    shards.parent.mkdir()
    join(parts, shards, ["folder:shop", "folder:gate"])
    return shards


def test_identities_and_cameras_continue_from_dataset_to_dataset(joined: Path) -> None:
    index = ShardReader(joined, "train").index
    assert index["identity"].tolist() == [1, 1, 2, 3, 4, 4]
    assert index["camera"].tolist() == [1, 2, 3, 5, 4, 5]
    assert index["dataset"].tolist() == [0, 0, 0, 1, 1, 1]
    names = [f"{name}+im_{i}" for name in ("shop", "gate") for i in range(3)]
    assert index["key"].tolist() == names


def test_pixels_and_metadata_are_those_of_the_datasets(parts: list[Path], joined: Path) -> None:
    readers = [ShardReader(part, "train") for part in parts]
    own = [reader.image(i) for reader in readers for i in range(len(reader))]
    reader = ShardReader(joined, "train")
    for i, row in enumerate(reader.index.to_dict("records")):
        np.testing.assert_array_equal(reader.image(i), own[i])
        with tarfile.open(joined / row["shard"]) as tar:
            meta = json.load(tar.extractfile(f"{row['key']}.json"))
        assert meta == {name: row[name] for name in ("identity", "camera", "dataset")}


def test_training_reads_the_dataset_of_each_image(parts: list[Path], joined: Path) -> None:
    def datasets(shards: Path) -> list[int]:
        return TrainingImages(ShardReader(shards, "train"), ImageOptions()).datasets.tolist()

    assert datasets(joined) == [0, 0, 0, 1, 1, 1]
    assert datasets(parts[1]) == [0, 0, 0]


def test_parts_name_the_sources_with_their_hashes(parts: list[Path], joined: Path) -> None:
    described = read_parts(joined)
    assert [part["dataset"] for part in described] == ["folder:shop", "folder:gate"]
    assert [part["shards"] for part in described] == [sha256(part / HASHES) for part in parts]
    assert [part["cameras"] for part in described] == [[1, 2, 9], [1, 2]]
    assert [(part["train_images"], part["identities"]) for part in described] == [(3, 2), (3, 2)]
    assert PARTS in read_json(joined / HASHES)
    assert read_parts(parts[0]) == []


def test_cameras_of_a_part_map_to_their_joint_numbers(parts: list[Path], joined: Path) -> None:
    described = read_parts(joined)
    shop, gate = (joint_cameras(described, sha256(part / HASHES)) for part in parts)
    assert (shop, gate) == ({1: 1, 2: 2, 9: 3}, {1: 4, 2: 5})
    assert joint_cameras(described, "0" * 64) is None


def test_part_without_training_images_is_refused(parts: list[Path], tmp_path: Path) -> None:
    tested = write_dataset(tmp_path / "tested" / "shards", TRAIN["shop"], "query")
    with pytest.raises(InputError, match=f"{tested}: found no shards train"):
        join([*parts, tested], tmp_path / "shards", ["a", "b", "c"])
    assert not (tmp_path / "shards").exists()
