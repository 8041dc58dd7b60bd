"""Shards: their bytes, readers, integrity checks and keys."""

from __future__ import annotations

import json
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import webdataset

from pipeline.data.images import decode_image
from pipeline.data.manifest import read_manifest, write_manifest
from pipeline.data.shards import (
    Sample,
    ShardReader,
    image_keys,
    split_names,
    verify,
    write_index,
    write_shards,
)
from pipeline.errors import InputError
from pipeline.launcher import main
from pipeline.options.data import IngestOptions
from tests.data.stages import run_ingest, run_shard
from tests.faults import file_limit, flip_byte
from tests.miniatures import picture


@pytest.fixture
def samples() -> list[Sample]:
    """Seven JPEGs: three shards of at most three."""
    return [
        Sample(f"{i:04d}_c1", "jpg", picture(i), {"identity": i, "note": "é"}) for i in range(7)
    ]


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_shards_are_byte_identical_when_repeated(ingested: Path, shards: Path) -> None:
    first = _contents(shards)
    os.utime(ingested / "images/query", (0, 0))
    run_shard(ingested)
    assert _contents(shards) == first
    assert sorted(first) == [
        "gallery-000000.tar",
        "index.csv",
        "query-000000.tar",
        "shards.json",
        "train-000000.tar",
    ]


def test_tar_headers_are_fixed(shards: Path) -> None:
    with tarfile.open(shards / "train-000000.tar") as tar:
        for member in tar:
            fixed = (member.mtime, member.uid, member.gid, member.uname, member.gname, member.mode)
            assert fixed == (0, 0, 0, "", "", 0o644)


def stock_samples(shards: Path, split: str) -> list[dict]:
    url = str(shards / f"{split}-000000.tar")
    return list(webdataset.WebDataset(url, shardshuffle=False))


@pytest.mark.parametrize("split", ["train", "query", "gallery"])
def test_stock_webdataset_reads_shards(ingested: Path, shards: Path, split: str) -> None:
    table = read_manifest(ingested / "manifest.csv")
    rows = {Path(row.path).stem: row for row in table.itertuples() if row.split == split}
    found = stock_samples(shards, split)
    assert sorted(sample["__key__"] for sample in found) == sorted(rows)
    for sample in found:
        row = rows[sample["__key__"]]
        assert sample["jpg"] == (ingested / "images" / row.path).read_bytes()
        assert json.loads(sample["json"]) == {"identity": row.identity, "camera": row.camera}


def test_whole_body_queries_have_separate_shards(
    tmp_path: Path, zip_with: Callable, options: IngestOptions
) -> None:
    run_ingest(zip_with({"query_whole_body/0001_c1s1_9.jpg": picture(90)}), options)
    run_shard(tmp_path)
    assert split_names(tmp_path / "shards") == {"train", "query", "gallery", "whole_query"}
    assert list(ShardReader(tmp_path / "shards", "whole_query").index["key"]) == ["0001_c1s1_9"]


def test_images_of_an_identity_are_adjacent(shards: Path) -> None:
    for split in ("train", "query", "gallery"):
        identities = ShardReader(shards, split).index["identity"].to_numpy()
        assert np.count_nonzero(np.diff(identities)) == len(np.unique(identities)) - 1


def test_reader_returns_the_bytes_in_the_tars(tmp_path: Path, samples: list[Sample]) -> None:
    long = Sample("x" * 150, "jpg", samples[0].data, samples[0].meta)  # needs extra headers
    blocks = samples[0].data.ljust(2048, b"\0")  # a multiple of the tar's blocks: no padding
    given = [*samples, long, samples[0]._replace(key="blocks", data=blocks)]
    write_index(tmp_path, write_shards(tmp_path, "query", given, per_shard=3))
    reader = ShardReader(tmp_path, "query")
    assert len(reader) == 9
    assert list(reader.index["shard"].unique()) == [f"query-00000{i}.tar" for i in range(3)]
    for i, row in enumerate(reader.index.itertuples()):
        with tarfile.open(tmp_path / row.shard) as tar:
            member = tar.getmember(f"{row.key}.{row.suffix}")
            assert (row.offset, row.size) == (member.offset_data, member.size)
            data = tar.extractfile(member).read()
        assert reader.read(i) == data == given[i].data
        np.testing.assert_array_equal(reader.image(i), decode_image(data, "x"))


def test_reader_reads_only_its_split(tmp_path: Path, samples: list[Sample]) -> None:
    rows = write_shards(tmp_path, "query", samples[:2]) + write_shards(tmp_path, "a-b", samples[2:])
    write_index(tmp_path, rows)
    assert list(ShardReader(tmp_path, "a-b").index["key"]) == [s.key for s in samples[2:]]
    with pytest.raises(InputError, match=r"found no shards train-\*\.tar"):
        ShardReader(tmp_path, "train")


def test_reader_survives_pickling(shards: Path) -> None:
    reader = ShardReader(shards, "train")
    first = reader.read(0)
    copy = pickle.loads(pickle.dumps(reader))
    assert copy.read(0) == first
    np.testing.assert_array_equal(copy.image(4), reader.image(4))


@pytest.mark.parametrize("key", ["", "a.b", "a/b", "..", "a\\b"])
def test_invalid_key_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(InputError, match="without dots and slashes"):
        write_shards(tmp_path, "query", [Sample(key, "jpg", b"x", {})])


def test_repeated_key_unknown_suffix_and_reserved_meta_are_refused(tmp_path: Path) -> None:
    sample = Sample("a", "jpg", b"x", {})
    for bad, reason in [
        ([sample, sample], "found twice"),
        ([sample._replace(suffix="pkl")], "found suffix 'pkl'"),
        ([sample._replace(meta={"offset": 1})], r"found meta \['offset'\], which the index uses"),
    ]:
        with pytest.raises(InputError, match=reason):
            write_shards(tmp_path, "query", bad, per_shard=1)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (flip_byte, "expected SHA-256"),
        (lambda path: path.write_bytes(path.read_bytes()[:-512]), "bytes, found"),
        (Path.unlink, "missing"),
    ],
)
def test_damaged_shard_is_named(shards: Path, damage: Callable, reason: str) -> None:
    verify(shards)
    damage(shards / "query-000000.tar")
    for check in (lambda: verify(shards), lambda: ShardReader(shards, "query")):
        with pytest.raises(InputError, match=rf"query-000000\.tar: .*{reason}"):
            check()


def test_changed_index_is_refused(shards: Path) -> None:
    index = (shards / "index.csv").read_text()
    rows = index.splitlines(keepends=True)
    camera = rows[-1].rstrip()[-1]
    (shards / "index.csv").write_text(index.rstrip()[:-1] + str(9 - int(camera)) + "\n")
    with pytest.raises(InputError, match=r"index\.csv: expected SHA-256"):
        ShardReader(shards, "train")
    (shards / "index.csv").write_text("".join(rows[:-1]))
    with pytest.raises(InputError, match=r"index\.csv: expected \d+ bytes"):
        ShardReader(shards, "train")
    (shards / "index.csv").unlink()
    with pytest.raises(InputError, match=r"index\.csv: missing, .* make the shards again"):
        ShardReader(shards, "train")


def test_image_changed_since_ingest_is_refused(ingested: Path) -> None:
    name = "query/0001_c1s1_000151_00.jpg"
    (ingested / "images" / name).write_bytes(b"other")
    with pytest.raises(InputError, match=rf"{name}: expected SHA-256"):
        run_shard(ingested)
    (ingested / "images" / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: missing, but listed in the manifest"):
        run_shard(ingested)
    assert sorted(path.name for path in ingested.iterdir()) == [
        "archive.zip",
        "images",
        "ingest.json",
        "manifest.csv",
    ]


def test_manifest_is_byte_identical_for_any_row_order(ingested: Path) -> None:
    table = read_manifest(ingested / "manifest.csv")
    write_manifest(ingested / "again.csv", table.sample(frac=1, random_state=0))
    assert (ingested / "again.csv").read_bytes() == (ingested / "manifest.csv").read_bytes()


def test_invalid_manifest_is_refused(ingested: Path) -> None:
    manifest = ingested / "manifest.csv"
    text = manifest.read_text()
    for damaged, reason in [
        (text.replace("identity", "person", 1), "expected the columns"),
        (text.replace(",train,", ",val,"), "found val"),
        (text.replace(",16,32,", ",wide,32,", 1), "expected a manifest"),
        ("", "expected a manifest"),
    ]:
        manifest.write_text(damaged)
        with pytest.raises(InputError, match=reason):
            read_manifest(manifest)


SHARD = "pipeline.data.shards:shard --images images --manifest manifest.csv --shards output"
INGEST = (
    "pipeline.data.ingest:ingest --archive archive.zip --images output --manifest output.csv "
    '--record output.json --options {"dataset":"synthetic"}'
)


@pytest.mark.parametrize(
    ("arguments", "limit"),  # limit: maximum file size in bytes
    [(SHARD, 8192), (INGEST, 256)],
)
def test_full_disk_leaves_no_partial_output(
    ingested: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, limit: int
) -> None:
    before = sorted(ingested.iterdir())
    monkeypatch.chdir(ingested)
    message = "^error: .*File too large.*partial output removed"
    with file_limit(limit), pytest.raises(SystemExit, match=message):
        main(arguments.split())
    assert sorted(ingested.iterdir()) == before


def test_image_keys_are_unique() -> None:
    assert image_keys(["a/1.jpg", "b/2.png"]) == ["1", "2"]
    assert image_keys(["a/1.jpg", "b/1.jpg"]) == ["a-1", "b-1"]
    assert image_keys(["1_0.jpg", "1_0.png"]) == ["1_0_jpg", "1_0_png"]
    assert image_keys(["1.jpg.jpg", "2.jpg"]) == ["1_jpg", "2"]
    hashed = image_keys(["a/b/1.jpg", "a-b/1.jpg"])
    assert len(set(hashed)) == 2
    assert hashed[0].startswith("a-b-1_jpg-")


def test_same_stem_in_several_formats_is_sharded(tmp_path: Path, zip_with: Callable) -> None:
    """Stock readers get a suffix that they decode."""
    more = {"query/0001_c2s1.png": picture(98, "png"), "query/0001_c2s1.jfif": picture(99)}
    run_ingest(zip_with(more), IngestOptions(dataset="synthetic"))
    run_shard(tmp_path)
    index = ShardReader(tmp_path / "shards", "query").index
    assert list(index["suffix"]) == ["jpg", "jpg", "png", "jpg"]
    assert list(index["key"])[1:3] == ["query-0001_c2s1_jfif", "query-0001_c2s1_png"]
    assert len(stock_samples(tmp_path / "shards", "query")) == 4


@pytest.mark.parametrize("text", ["", "{}", '{"train-000000.tar": {"samples": 9}}'])
def test_invalid_hash_file_is_refused(shards: Path, text: str) -> None:
    (shards / "shards.json").write_text(text)
    with pytest.raises(InputError, match=r"shards\.json: .* make the shards again"):
        verify(shards)


@pytest.mark.parametrize(("tars", "sizes"), [(100, [2, 2, 2, 2, 1]), (2, [5, 4])])
def test_a_large_split_has_larger_shards(
    ingested: Path, monkeypatch: pytest.MonkeyPatch, tars: int, sizes: list[int]
) -> None:
    """The training split has 9 images."""
    monkeypatch.setattr("pipeline.data.shards.PER_SHARD", 2)
    monkeypatch.setattr("pipeline.data.shards.TARS", tars)
    run_shard(ingested)
    index = ShardReader(ingested / "shards", "train").index
    assert index["shard"].value_counts(sort=False).tolist() == sizes
