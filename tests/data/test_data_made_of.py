"""Ingest and shards say what they were made of, down to the archive's hash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.data.shards import read_hashes, verify
from pipeline.errors import InputError
from pipeline.files import archive_hash, read_json, sha256
from pipeline.options.data import IngestOptions
from pipeline.provenance import code_hash
from tests.data.stages import run_ingest, run_shard
from tests.miniatures import write_folder


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_the_record_says_what_the_manifest_was_made_of(
    tmp_path: Path, files: dict, make_zip: Callable, options: IngestOptions, form: str
) -> None:
    archive = make_zip(files) if form == "zip" else write_folder(tmp_path / "unpacked", files)
    run_ingest(archive, options)
    assert read_json(tmp_path / "ingest.json") == {
        "archive": {"name": archive.name, "sha256": archive_hash(archive)},
        "lists": {},
        "manifest": sha256(tmp_path / "manifest.csv"),
        "options": options.model_dump(mode="json"),
        "code": code_hash("pipeline.data.ingest"),
    }


def test_the_hash_of_an_archive_is_that_of_its_file_or_of_all_its_files(
    tmp_path: Path, files: dict, make_zip: Callable
) -> None:
    archive, folder = make_zip(files), write_folder(tmp_path / "unpacked", files)
    assert archive_hash(archive) == sha256(archive)
    first = archive_hash(folder)
    (folder / "Thumbs.db").write_bytes(b"of the operating system")
    assert archive_hash(folder) == first
    name = next(path for path in sorted(folder.rglob("*.jpg")))
    data = name.read_bytes()
    for change in (lambda: name.write_bytes(data[:-1]), lambda: name.rename(folder / "other.jpg")):
        change()
        assert archive_hash(folder) != first


@pytest.mark.parametrize("text", ["", "{}", '{"train-000000.tar": {"samples": 9}}'])
def test_hashes_of_another_form_are_refused(shards: Path, text: str) -> None:
    (shards / "shards.json").write_text(text)
    with pytest.raises(InputError, match=r"shards\.json with hashes .* make the shards again"):
        verify(shards)


def test_shards_say_what_they_were_made_of(ingested: Path, shards: Path) -> None:
    files, made_of = read_hashes(shards)
    assert set(files) == {path.name for path in shards.iterdir()} - {"shards.json"}
    assert all(facts["sha256"] == sha256(shards / name) for name, facts in files.items())
    assert files["train-000000.tar"]["samples"] == 9
    assert made_of == {
        "archive": sha256(ingested / "archive.zip"),
        "ingest": sha256(ingested / "ingest.json"),
        "manifest": sha256(ingested / "manifest.csv"),
        "code": code_hash("pipeline.data.shards"),
    }


def test_a_manifest_that_was_edited_is_refused(ingested: Path) -> None:
    manifest = ingested / "manifest.csv"
    manifest.write_text(manifest.read_text().replace(",1,train,", ",2,train,", 1))
    with pytest.raises(InputError, match=r"manifest\.csv: expected SHA-256 .*ingest\.json says"):
        run_shard(ingested)
    assert not (ingested / "shards").exists()
