"""Ingest and shard a miniature of every dataset."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import get_args

import pytest

from pipeline.data.datasets import DATASETS
from pipeline.data.datasets.base import counts
from pipeline.data.datasets.occluded_duke import LISTS
from pipeline.data.manifest import read_manifest
from pipeline.data.shards import ShardReader
from pipeline.options.data import DatasetName, IngestOptions
from tests.data.stages import refused, run_ingest, run_shard
from tests.miniatures import (
    MINIATURES,
    Miniature,
    dukemtmc_reid,
    msmt17,
    own_folders,
    partial_ilids,
    picture,
    write_folder,
    write_lists,
    write_tar,
    write_zip,
)

WRITERS = {"zip": write_zip, "tar.gz": write_tar, "folder": write_folder}
OTHER_LAYOUTS = {
    "partial_ilids": [partial_ilids("Probe", "Gallery"), partial_ilids("query", "gallery")],
    "msmt17_train": [msmt17(("train", "query", "gallery"), "mask_train_v2", "mask_test_v2")],
    "folder": [own_folders()],
}
CASES = [(name, small) for name, small in MINIATURES.items()]
CASES += [(name, small) for name, others in OTHER_LAYOUTS.items() for small in others]


def _run(archive: Path, name: str, lists: Path | None = None, **options) -> Path:
    return run_ingest(archive, IngestOptions(dataset=name, **options), lists)


def _refused(archive: Path, name: str, *reasons: str, lists=None, **options) -> None:
    refused(archive, IngestOptions(dataset=name, **options), *reasons, lists=lists)


def test_every_dataset_is_in_the_configuration_and_has_a_miniature() -> None:
    assert list(get_args(DatasetName)) == list(DATASETS)
    assert set(MINIATURES) | {"synthetic"} == set(DATASETS)


@pytest.mark.parametrize(("name", "small"), CASES)
def test_every_packing_gives_the_same_manifest_and_shards(
    tmp_path: Path, name: str, small: Miniature, capsys
) -> None:
    """Zip, tar and folder give one manifest; terms are printed; only the hash is warned of."""
    manifests = set()
    for form, write in WRITERS.items():
        _run(write(tmp_path / f"a.{form}", small.files), name, expected=small.counts)
        manifests.add((tmp_path / "manifest.csv").read_bytes())
    assert len(manifests) == 1
    printed = capsys.readouterr()
    warned = [line for line in printed.err.splitlines() if "warning" in line]
    assert all("third parties report" in line for line in warned)
    assert DATASETS[name].terms in printed.out
    table = read_manifest(tmp_path / "manifest.csv")
    for row in table.itertuples():
        data = next(data for path, data in small.files.items() if path.endswith(row.path))
        assert row.sha256 == hashlib.sha256(data).hexdigest()
        assert (row.width, row.height) == (16, 32)
    run_shard(tmp_path)
    for split, expected in small.counts.items():
        reader = ShardReader(tmp_path / "shards", split)
        assert len(reader) == expected.images
        assert reader.index["identity"].nunique() == expected.identities
        assert reader.image(0).shape == (32, 16, 3)


@pytest.mark.parametrize("name", [name for name in DATASETS if DATASETS[name].counts])
def test_published_counts_are_checked(tmp_path: Path, name: str, capsys) -> None:
    archive = write_zip(tmp_path / "a.zip", MINIATURES[name].files)
    facts = DATASETS[name].counts["query"]
    reason = f"query: expected {facts.images} images of {facts.identities} identities, found "
    _refused(archive, name, reason)
    _run(archive, name, checks="warn")
    assert reason in capsys.readouterr().err


def _labels(tmp_path: Path, name: str, files: dict | None = None) -> dict[str, list[tuple]]:
    """Return (identity, camera) of each split's rows, in the manifest's order."""
    small = MINIATURES[name]
    archive = write_zip(tmp_path / "a.zip", files or small.files)
    table = read_manifest(_run(archive, name, expected=small.counts))
    return {
        split: list(zip(part["identity"], part["camera"], strict=True))
        for split, part in table.groupby("split")
    }


def test_occluded_reid_image_number_is_no_camera(tmp_path: Path) -> None:
    labels = _labels(tmp_path, "occluded_reid")
    assert labels["query"] == [(i, 0) for i in (1, 1, 2, 2, 200, 200)]
    assert labels["gallery"] == [(i, 1) for i in (1, 1, 2, 2, 200, 200)]


def test_occluded_reid_folder_and_name_must_agree(tmp_path: Path) -> None:
    contradiction = {"Occluded_REID/whole_body_images/001/002_01.tif": b"x"}
    archive = write_zip(tmp_path / "a.zip", MINIATURES["occluded_reid"].files | contradiction)
    _refused(archive, "occluded_reid", "like 001/001_01.tif", "1 others", "001/002_01.tif")


def test_p_dukemtmc_cameras_are_the_folders(tmp_path: Path) -> None:
    labels = _labels(tmp_path, "p_dukemtmc")
    assert sorted(labels["train"]) == [(i, c) for i in (5, 8) for c in (0, 0, 1, 1)]
    assert labels["query"] == [(6, 0), (6, 0), (7, 0), (7, 0)]


@pytest.mark.parametrize("query", ["partial", "occluded"])
def test_partial_reid_queries_follow_the_protocol(tmp_path: Path, query, capsys) -> None:
    name = f"partial_reid_{query}"
    labels = _labels(tmp_path, name)
    assert labels == {
        "query": [(1, 0)] * 3 + [(60, 0)] * 3,
        "gallery": [(1, 1)] * 2 + [(60, 1)] * 2,
    }
    paths = read_manifest(tmp_path / "manifest.csv").query("split == 'query'")["path"]
    assert paths.str.startswith(f"{query}_body_images/").all()
    other = {"partial": "occluded", "occluded": "partial"}[query]
    unused = f"not part of Partial-REID (queries: {query}): 4 images in {other}_body_images"
    assert unused in capsys.readouterr().out


@pytest.mark.parametrize(("name", "images"), [("msmt17_train", 15), ("msmt17_trainval", 16)])
def test_msmt17_training_and_test_identities_differ(tmp_path: Path, name, images, capsys) -> None:
    labels = _labels(tmp_path, name)
    assert [i for i, _ in labels["train"]] == [1] * images + [2] * images
    assert {c for _, c in labels["train"]} == set(range(1, 16))
    assert labels["query"] == [(1042, 1), (1044, 1)]
    unused = "not part of MSMT17 (train): 2 images in train" in capsys.readouterr().out
    assert unused == (name == "msmt17_train")


def test_msmt17_list_with_missing_images_is_refused(tmp_path: Path) -> None:
    files = dict(MINIATURES["msmt17_train"].files)
    files["MSMT17_V1/list_query.txt"] += b"../../etc/0001_000_01_x.jpg 3\n0000/none.jpg 0\n"
    archive = write_zip(tmp_path / "a.zip", files)
    _refused(archive, "msmt17_train", "list_query.txt", "2 others", "none.jpg 0", "../../etc")


@pytest.mark.parametrize(("boxes", "other"), [("detected", "labeled"), ("labeled", "detected")])
def test_cuhk03_boxes_are_two_datasets(tmp_path: Path, boxes: str, other: str, capsys) -> None:
    _labels(tmp_path, f"cuhk03_{boxes}")
    table = read_manifest(tmp_path / "manifest.csv")
    assert table["path"].str.startswith(f"{boxes}/").all()
    assert f"10 images in {other}" in capsys.readouterr().out


def test_unexpected_camera_is_refused(tmp_path: Path) -> None:
    small = MINIATURES["market1501"]
    seventh = {"Market-1501-v15.09.15/query/0001_c7s1_000451_03.jpg": picture(0)}
    archive = write_zip(tmp_path / "a.zip", small.files | seventh)
    expected = small.counts | counts(query=(2, 3))
    reason = "expected the cameras 1, 2, 3, 4, 5, 6, found 1, 2, 3, 4, 5, 6, 7"
    _refused(archive, "market1501", reason, expected=expected)


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    return write_lists(tmp_path / "lists")


@pytest.fixture
def duke(tmp_path: Path) -> Path:
    return write_zip(tmp_path / "DukeMTMC-reID.zip", dukemtmc_reid().files)


def _occluded(archive: Path, lists: Path | None) -> bytes:
    expected = MINIATURES["occluded_duke"].counts
    options = {"expected": expected, "checks": "warn" if lists else "error"}
    return _run(archive, "occluded_duke", lists, **options).read_bytes()


def test_occluded_duke_from_lists_equals_converted_folder(tmp_path, duke, lists, capsys) -> None:
    converted = write_folder(tmp_path / "converted", MINIATURES["occluded_duke"].files)
    from_lists = _occluded(duke, lists)
    run_shard(tmp_path)
    printed = capsys.readouterr()
    assert "withdrawn by its authors" in printed.out
    assert "40 images are listed; 3 files of the archive are not listed" in printed.out
    assert printed.err.count("expected SHA-256") == 3
    files = {p.relative_to(tmp_path / "images") for p in (tmp_path / "images").rglob("*.jpg")}
    assert len(files) == 40
    assert _occluded(converted, None) == from_lists
    assert "warning" not in capsys.readouterr().err
    assert _occluded(converted, lists) == from_lists
    table = read_manifest(tmp_path / "manifest.csv")
    copies = table[table["split"] != "train"]["path"].str.rpartition("/")[2].duplicated().sum()
    assert copies == 2


def test_occluded_duke_refuses_other_lists(tmp_path: Path, duke: Path, lists: Path) -> None:
    _refused(duke, "occluded_duke", str(lists / "train.list"), LISTS["train"], lists=lists)
    _refused(duke, "occluded_duke", "none/train.list", "no such file", lists=tmp_path / "none")


@pytest.mark.parametrize("line", ["../../secret_c1.jpg", "0001_c1_f0011182.jpg"])
def test_occluded_duke_refuses_malformed_lists(duke: Path, lists: Path, line: str) -> None:
    """A path outside the folder, and a repeated name."""
    with open(lists / "query.list", "a") as file:
        file.write(f"{line}\n")
    reasons = (str(lists / "query.list"), "one unique image name per line", line)
    _refused(duke, "occluded_duke", *reasons, lists=lists, checks="warn")


def test_occluded_duke_names_missing_images(tmp_path: Path, lists: Path) -> None:
    files = {k: v for k, v in dukemtmc_reid().files.items() if "0001_c1" not in k}
    duke = write_zip(tmp_path / "DukeMTMC-reID.zip", files)
    _refused(duke, "occluded_duke", "query 0001_c1_f0011182.jpg", lists=lists, checks="warn")


def test_archive_with_two_layouts_is_refused(tmp_path: Path) -> None:
    small = MINIATURES["occluded_reid"].files
    twice = small | {f"copy/{name.partition('/')[2]}": data for name, data in small.items()}
    _refused(write_zip(tmp_path / "a.zip", twice), "occluded_reid", "2 times")
