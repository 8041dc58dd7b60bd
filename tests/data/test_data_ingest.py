"""Ingest: the manifest, its checks, and the errors for bad archives."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.data.datasets.market1501 import MARKET1501, parse_name
from pipeline.data.manifest import read_manifest
from pipeline.errors import InputError
from pipeline.options.data import IngestOptions, SplitCounts
from tests.data.stages import refused, run_ingest
from tests.miniatures import picture, write_zip


@pytest.mark.parametrize("top", ["", "Market-1501-v15.09.15/"])
def test_archive_becomes_images_and_manifest(
    tmp_path: Path, files: dict, zip_with: Callable, options: IngestOptions, top: str, capsys
) -> None:
    extra = {"readme.txt": b"facts", "query/Thumbs.db": b"x"}
    run_ingest(zip_with(extra, top), options)
    table = read_manifest(tmp_path / "manifest.csv")
    listed = {name for name in files if "/-1_" not in name}  # paths without `top`
    assert set(table["path"]) == listed
    for row in table.itertuples():
        data = files[row.path]
        assert (tmp_path / "images" / row.path).read_bytes() == data
        assert row.sha256 == hashlib.sha256(data).hexdigest()
        assert (row.width, row.height) == (16, 32)
        name = row.path.rpartition("/")[2]
        assert name.startswith(f"{row.identity:04d}_c{row.camera}s")
    assert table["split"].value_counts().to_dict() == {"train": 9, "query": 2, "gallery": 6}
    assert (table["identity"] == 0).sum() == 2
    printed = capsys.readouterr()
    assert "gallery 6 images of 3 identities; ignored 2 junk images (-1)" in printed.out
    assert "warning" not in printed.err


def test_manifest_does_not_depend_on_directory_order(
    tmp_path: Path, files: dict, zip_with: Callable, options: IngestOptions, monkeypatch
) -> None:
    run_ingest(zip_with(), options)
    first = (tmp_path / "manifest.csv").read_bytes()
    listing = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: iter(sorted(listing(path), reverse=True)))
    run_ingest(write_zip(tmp_path / "archive.zip", dict(reversed(files.items()))), options)
    assert (tmp_path / "manifest.csv").read_bytes() == first
    monkeypatch.setattr(Path, "iterdir", lambda path: iter(sorted(listing(path))))
    run_ingest(zip_with(), options)
    assert (tmp_path / "manifest.csv").read_bytes() == first


def test_market1501_names_are_parsed() -> None:
    assert parse_name("0002_c1s1_000451_03.jpg") == (2, 1)
    assert parse_name("-1_c3s2_000451_03.jpg") == (-1, 3)
    assert parse_name("0001_c2_f0046182.jpg") == (1, 2)
    assert parse_name("0000_c12s1.png") == (0, 12)
    assert parse_name("1488_c1s6_023021_00.jpg.jpg") == (1488, 1)
    assert parse_name("0002_C1S1_000451_03.JPG") == (2, 1)
    for name in ("readme.txt", "_c1.jpg", "2-_c1.jpg", "0002_cx.jpg", "0002_c1.txt", "1_c1/a.jpg"):
        assert parse_name(name) is None


def test_unparsed_names_are_listed_in_one_error(zip_with: Callable, options: IngestOptions) -> None:
    unparsed = {f"query/photo{i:02d}.jpg": b"x" for i in range(12)}
    reasons = ("12 others", "query/photo09.jpg, and 2 more")
    assert "photo10" not in refused(zip_with(unparsed), options, *reasons)


def test_undecodable_images_are_listed_in_one_error(
    zip_with: Callable, options: IngestOptions
) -> None:
    bad = {
        "query/0001_c4s1_a.jpg": b"",
        "query/0001_c5s1_b.jpg": picture(0)[:-40],
        "bounding_box_train/0002_c6s1_c.jpg": b"plain text",
    }
    refused(zip_with(bad), options, "3 images cannot be read", "empty file", *bad)


def test_checks_warn_does_not_allow_bad_images(zip_with: Callable, options: IngestOptions) -> None:
    lenient = options.model_copy(update={"checks": "warn"})
    refused(zip_with({"query/0001_c4.jpg": b"x"}), lenient, "1 images cannot be read")
    refused(zip_with({"query/odd.jpg": b"x"}), lenient, "query/odd.jpg")


def test_undecodable_junk_is_ignored(zip_with: Callable, options: IngestOptions, capsys) -> None:
    run_ingest(zip_with({"bounding_box_test/-1_c1s9.jpg": b"x"}), options)
    assert "ignored 3 junk images (-1)" in capsys.readouterr().out


def test_unexpected_counts_are_errors_or_warnings(
    files: dict, zip_with: Callable, options: IngestOptions, capsys
) -> None:
    archive = zip_with({"query/0001_c2s1.jpg": files["query/0001_c1s1_000151_00.jpg"]})
    refused(archive, options, "query: expected 2 images of 2 identities, found 3 of 2")
    run_ingest(archive, options.model_copy(update={"checks": "warn"}))
    assert "warning: " in (warned := capsys.readouterr().err)
    assert "query: expected 2 images of 2 identities, found 3 of 2" in warned


def test_market1501_expects_its_published_counts(zip_with: Callable, capsys) -> None:
    market = IngestOptions(dataset="market1501")
    found = ("train: expected 12936 images of 751", "gallery: expected 15913 images of 751")
    archive = zip_with()
    refused(archive, market, *found)
    assert MARKET1501.counts["query"] == SplitCounts(identities=750, images=3368)
    warned = capsys.readouterr().err
    assert "65005ab7d12ec1c44de4eeafe813e68a" in warned
    assert hashlib.md5(archive.read_bytes()).hexdigest() in warned


def test_training_identity_with_one_image_is_refused(zip_with: Callable, capsys) -> None:
    archive = zip_with({"bounding_box_train/0500_c1s1.jpg": picture(0)})
    reason = "found 1 with one: 500"
    refused(archive, IngestOptions(dataset="synthetic"), reason)
    run_ingest(archive, IngestOptions(dataset="synthetic", checks="warn"))
    assert reason in capsys.readouterr().err


def test_identity_in_training_and_test_is_refused(zip_with: Callable) -> None:
    archive = zip_with({"bounding_box_test/0007_c1s1.jpg": picture(0)})
    for checks in ("error", "warn"):
        options = IngestOptions(dataset="synthetic", checks=checks)
        refused(archive, options, "different identities in training and test", "in both: 7")


def test_query_identity_missing_in_gallery_is_a_warning(zip_with: Callable, capsys) -> None:
    archive = zip_with({"query/0900_c1s1.jpg": picture(99)})
    run_ingest(archive, IngestOptions(dataset="synthetic"))
    assert "1 query identities are not in the gallery: 900" in capsys.readouterr().err


WHOLE = [f"query_whole_body/{i:04d}_c1s1_000151_09.jpg" for i in (1, 3)]


def test_whole_body_queries_are_a_separate_split(
    tmp_path: Path, zip_with: Callable, options: IngestOptions, capsys
) -> None:
    run_ingest(zip_with(), options)
    before = (tmp_path / "manifest.csv").read_text()
    whole = {name: picture(90 + i) for i, name in enumerate(WHOLE)}
    counts = {"whole_query": SplitCounts(identities=2, images=2)}
    expected = options.model_copy(update={"expected": options.expected | counts})
    refused(zip_with(), expected, "found no images of whole_query")
    run_ingest(zip_with(whole), expected)
    after = (tmp_path / "manifest.csv").read_text()
    assert after.startswith(before)
    table = read_manifest(tmp_path / "manifest.csv")
    assert table["path"][table["split"] == "whole_query"].tolist() == WHOLE
    printed = capsys.readouterr()
    assert "whole_query 2 images of 2 identities; ignored 2 junk" in printed.out
    assert "warning" not in printed.err


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("0007_c1s1.jpg", "different identities in training and test, found 1 in both"),
        ("0000_c1s1.jpg", "whole_query: found identity 0 (distractor)"),
        ("0900_c1s1.jpg", "whole_query: none of the 1 queries has a match"),
    ],
)
def test_whole_body_queries_are_checked_like_queries(
    zip_with: Callable, name: str, reason: str
) -> None:
    archive = zip_with({f"query_whole_body/{name}": picture(90)})
    refused(archive, IngestOptions(dataset="synthetic"), reason)


def test_whole_body_queries_without_match_are_a_warning(
    files: dict, zip_with: Callable, capsys
) -> None:
    names = (*WHOLE, "query_whole_body/0900_c1s1.jpg")
    whole = {name: picture(90 + i) for i, name in enumerate(names)}
    whole[WHOLE[0]] = files["bounding_box_test/0001_c2s1_000276_01.jpg"]
    run_ingest(zip_with(whole), IngestOptions(dataset="synthetic"))
    warned = capsys.readouterr().err
    assert "1 whole_query identities are not in the gallery: 900" in warned
    assert "whole_query: 1 identities have one camera only: 900" in warned
    assert "1 queries match themselves, by a copy in the gallery" in warned


def test_missing_or_empty_folder_is_refused(tmp_path: Path, files: dict) -> None:
    options = IngestOptions(dataset="synthetic")
    without = {name: data for name, data in files.items() if not name.startswith("query")}
    archive = write_zip(tmp_path / "archive.zip", without)
    refused(archive, options, "at the top or in one folder, found bounding_box_test")
    write_zip(archive, without | {"query/": b""})
    refused(archive, options, "found no images of query")


def test_failed_ingest_keeps_previous_result(
    tmp_path: Path, zip_with: Callable, options: IngestOptions
) -> None:
    run_ingest(zip_with(), options)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".zip"}
    with pytest.raises(InputError):
        run_ingest(zip_with({"query/0001_c1s2.jpg": b""}), options)
    after = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".zip"}
    assert after == before
