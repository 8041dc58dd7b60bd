"""Masks and bank say what they were made of, down to each image."""

from __future__ import annotations

from pathlib import Path

from pipeline.data.shards import read_hashes
from pipeline.files import read_json, sha256
from pipeline.occluders.sa1b import read_sa1b
from pipeline.occluders.select import select
from pipeline.options.occluders import BankOptions, FilterOptions, SourceOptions
from pipeline.provenance import code_hash

LIST = SourceOptions(on_corrupt="list")
OPTIONS = BankOptions(minimum=1, filters=FilterOptions(max_area=1.0, max_border=1.0))


def test_the_record_has_the_hash_of_each_image_and_annotation(sa1b: Path, tmp_path: Path) -> None:
    (sa1b / "sa_10.json").unlink()
    read_sa1b(sa1b, tmp_path / "masks", tmp_path / "record", LIST)
    assert read_json(tmp_path / "record") == {
        "checkpoint": None,
        "images": {path.name: sha256(path) for path in sa1b.glob("sa_*.*")},
        "code": code_hash("pipeline.occluders.sa1b"),
    }
    assert len(list(sa1b.glob("sa_*.*"))) == 7


def test_the_bank_has_the_hashes_of_its_files_and_of_the_masks(sa1b: Path, tmp_path: Path) -> None:
    masks, record, bank = (tmp_path / name for name in ("masks", "record", "bank"))
    read_sa1b(sa1b, masks, record, LIST)
    select(sa1b, masks, record, bank, OPTIONS)
    files, made_of = read_hashes(bank)
    names = {"bank-000000.tar", "index.csv", "summary.json", "table.csv"}
    assert {name: facts["sha256"] for name, facts in files.items()} == {
        name: sha256(bank / name) for name in names
    }
    assert made_of == {
        "checkpoint": None,
        "masks": sha256(masks),
        "segmentation": sha256(record),
        "options": OPTIONS.model_dump(mode="json"),
        "code": code_hash("pipeline.occluders.select"),
    }
