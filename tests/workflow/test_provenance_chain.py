"""The trace of a result reaches its sources and finds every changed file."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.commands import main
from pipeline.data.names import SPLITS
from pipeline.errors import InputError
from pipeline.files import read_json, sha256
from pipeline.load_config import load_config
from pipeline.provenance.record import read_record
from pipeline.provenance.trace import trace
from tests.cases import long_but
from tests.faults import flip_byte
from tests.provenance.making import record_of
from tests.workflow.conftest import OCCLUDERS
from tests.workflow.outcome import is_result

BANK = OCCLUDERS.bank_path()
TABLES = Path("results/synthetic/tables")
TABLE = TABLES / "components.csv"
RECEIPT = TABLES / "components_published.json"
RUN = "results/synthetic/dpeformer/seed1"
NUMBERS = "results/synthetic/ingest.json"
SOURCE = "workflow/weights/small_sam.safetensors"
FILES = (
    "results/synthetic/tables/components.csv",
    *(f"{RUN}/{name}" for name in ("metrics.json", "features.npz", "run.json")),
    f"{RUN}/weights.safetensors",
    "results/synthetic/shards/shards.json",
    "results/synthetic/shards/index.csv",
    *(f"results/synthetic/shards/{split}-000000.tar" for split in SPLITS),
    "results/synthetic/manifest.csv",
    "results/synthetic/ground_truth.npz",
    "results/synthetic/archive.zip",
    f"{OCCLUDERS.masks_path()}.jsonl",
    *(f"{BANK}/{name}" for name in ("shards.json", "index.csv", "table.csv")),
    *(f"{BANK}/{name}" for name in ("summary.json", "bank-000000.tar")),
)
"""The inputs of a table's cell, without single images."""
ONE_OF_EACH = (
    f"{RUN}/features.npz",
    "results/synthetic/shards/train-000000.tar",
    "results/occluders/masks.jsonl",
)
"""A file of a run, a file in a folder and a file that all runs share."""
FOLDERS = ("results/synthetic/shards", BANK)


@pytest.fixture(scope="module")
def copied(finished, tmp_path_factory) -> Path:
    """A copy of the finished project to modify."""
    folder = tmp_path_factory.mktemp("copied") / "project"
    ignored = shutil.ignore_patterns(".snakemake", "mlflow*")
    return Path(shutil.copytree(finished.folder, folder, ignore=ignored))


@pytest.fixture
def here(copied: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(copied)
    return copied


@contextmanager
def moved_away(path: Path) -> Iterator[Path]:
    """Move `path` away for the block, and restore it afterwards; yields the moved file."""
    aside = Path("aside")
    path.rename(aside)
    try:
        yield aside
    finally:
        path.unlink(missing_ok=True)
        aside.rename(path)


@contextmanager
def flipped(path: Path) -> Iterator[None]:
    """Invert a byte of the file for the block."""
    with moved_away(path) as aside:
        shutil.copyfile(aside, path)
        flip_byte(path)
        yield


def refused(file: Path = TABLE, cell: str = "dpeformer") -> list[str]:
    """Return the lines of the error of `trace`, which contain `STATE path`."""
    with pytest.raises(InputError) as error:
        trace(file, cell)
    return [line.strip() for line in str(error.value).splitlines()]


def test_trace_of_a_cell_reaches_the_archive(here: Path, capsys) -> None:
    trace(TABLE, "dpeformer/blended")
    printed = capsys.readouterr().out
    named = {line.split()[2] for line in printed.splitlines() if line.startswith("ok  ")}
    inside = {path for path in FILES if path.startswith(FOLDERS)}
    assert {*FILES, *FOLDERS, SOURCE} - inside <= named
    digest = sha256(Path("results/synthetic/archive.zip"))
    assert any(digest in line and "archive.zip" in line for line in printed.splitlines())
    with open(TABLE) as file:
        rows = [row for row in csv.DictReader(file) if row["variant"] == "dpeformer"]
    blended = next(row for row in rows if row["feature"] == "blended")
    assert f"mAP {blended['map_mean']} ± {blended['map_std']}; seeds: 2" in printed
    assert "device cpu" in printed
    assert "CHANGED" not in printed
    assert "results/synthetic/baseline" not in printed


@pytest.mark.parametrize("name", long_but([*FILES, SOURCE], *ONE_OF_EACH, SOURCE))
def test_flipped_bit_of_a_file_is_found(here: Path, name: str) -> None:
    with flipped(Path(name)):
        assert f"CHANGED {name}" in refused()


def test_flipped_bit_of_a_record_is_found(here: Path, long: bool) -> None:
    found = [path for path in Path("results").rglob(".provenance/*.json") if is_traced(path)]
    few = [path for path in found if path.name in ("components.csv.json", "images.json")]
    assert len(few) == 2
    for record in found if long else few:
        with flipped(record):
            assert f"BROKEN {record}" in refused(RECEIPT, "")


@pytest.mark.parametrize("pattern", ["synthetic/images/**/*.jpg", "occluders/scenes-*/*.png"])
def test_flipped_bit_of_an_image_is_found(here: Path, pattern: str) -> None:
    path = next(Path("results").glob(pattern))
    with flipped(path):
        assert f"CHANGED {path}" in refused()


@pytest.mark.parametrize("name", long_but(FILES[1:], *ONE_OF_EACH))
def test_missing_file_is_found(here: Path, name: str) -> None:
    with moved_away(Path(name)):
        assert f"MISSING {name}" in refused()


def test_missing_source_is_no_error(here: Path, capsys) -> None:
    with moved_away(Path(SOURCE)):
        trace(TABLE, "dpeformer")
        lines = capsys.readouterr().out.splitlines()
        assert any(line.startswith("gone") and f" {SOURCE}" in line for line in lines)


def is_traced(path: Path) -> bool:
    """Return whether a result or record is not that of the table `one` of other tests."""
    return not path.name.startswith("one")


def results() -> list[Path]:
    """Return the results with a record."""
    records = Path("results").rglob(".provenance/*.json")
    made = [path.parents[1] / name for path in records for name in read_record(path)["outputs"]]
    return sorted(filter(is_traced, made))


def test_every_result_has_a_record_and_is_in_the_trace(here: Path, capsys) -> None:
    made = results()
    files = [path for path in Path("results").rglob("*") if path.is_file()]
    named = [path for path in files if is_result(path.relative_to("results").as_posix())]
    assert len(named) > 100
    for path in [*named, RECEIPT]:
        assert not is_traced(path) or {path, *path.parents} & set(made), path
    for result in made:
        record = record_of(result)
        assert {"stage", "arguments", "code", "commit", "dirty", "versions"} <= set(record)
        assert record["started"] <= record["finished"]
    trace(RECEIPT)
    traced = {line.split()[2] for line in capsys.readouterr().out.splitlines()[:-2]}
    # no result depends on the numbers of identities and cameras
    assert [str(path) for path in made if str(path) not in traced] == [NUMBERS]


def test_trace_without_a_cell_checks_every_result(here: Path, long: bool) -> None:
    files = [path for path in results() if path.is_file() and str(path) != NUMBERS]
    assert len(files) > 40
    for path in files if long else [TABLES / "components.md"]:
        with flipped(path):
            assert f"CHANGED {path}" in refused(RECEIPT, "")


def test_trace_of_a_figure_has_only_its_runs(here: Path, capsys) -> None:
    trace(Path("results/synthetic/figures/components_patches.png"))
    printed = capsys.readouterr().out
    assert "results/synthetic/dpeformer/seed0/weights.safetensors" in printed
    assert "results/synthetic/baseline" not in printed


def test_written_configuration_requests_the_same_experiment(finished) -> None:
    kept = TABLES / "components_config.json"
    values = read_json(finished.folder / kept)
    assert load_config(values).model_dump(mode="json") == values
    assert values["training"]["epochs"] == 2  # of the tiny configuration
    assert values["loss"]["temperature"] == 0.05  # of config.yaml
    assert finished.planned("--configfile", str(kept)) == set()
    changed = values | {"training": values["training"] | {"epochs": 3}}
    (finished.folder / "changed.json").write_text(json.dumps(changed))
    assert "train" in finished.planned("--configfile", "changed.json")


@pytest.mark.parametrize("of", [str(RECEIPT), BANK])
def test_trace_command_accepts_any_result(here: Path, capsys, of: str) -> None:
    main(["trace", "--file", of])
    assert f"\n{of}: all " in capsys.readouterr().out


def test_unknown_cell_is_refused_with_the_known_ones(here: Path) -> None:
    known = "baseline/coarse.*dpeformer/blended"
    with pytest.raises(InputError, match=rf"found no row 'dpsm/coarse'.*{known}"):
        trace(TABLE, "dpsm/coarse")
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        trace(TABLE.with_name("none.csv"))
    with pytest.raises(InputError, match=r"components_paired\.csv: expected a table"):
        trace(TABLES / "components_paired.csv", "dpeformer")
