"""Where a cell of the table comes from, and that no file of the chain changes unnoticed."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.files import read_json, sha256, write_json
from pipeline.lineage.trace import trace

TABLE = Path("results/synthetic/tables/components.csv")
RUN = "results/synthetic/dpeformer/seed1"
SOURCES = (
    "results/synthetic/archive.zip",
    "results/synthetic/images",
    "results/occluders/scenes",
    "workflow/weights/small_sam.safetensors",
)
"""What was made by nobody, or can be: it may be gone."""
FILES = (
    *(f"results/synthetic/tables/components{end}" for end in (".csv", ".md", ".tex", "_runs.csv")),
    *(f"{RUN}/{name}" for name in ("metrics.json", "queries.csv", "features.npz", "run.json")),
    *(f"{RUN}/{name}" for name in ("weights.safetensors", "history.csv")),
    "results/synthetic/shards/shards.json",
    "results/synthetic/shards/index.csv",
    *(f"results/synthetic/shards/{split}-000000.tar" for split in ("train", "query", "gallery")),
    "results/synthetic/manifest.csv",
    "results/synthetic/ingest.json",
    "results/synthetic/truth.npz",
    "results/occluders/masks.jsonl",
    "results/occluders/masks.json",
    *(f"results/occluders/bank/{name}" for name in ("shards.json", "index.csv", "table.csv")),
    *(f"results/occluders/bank/{name}" for name in ("summary.json", "bank-000000.tar")),
)


@pytest.fixture(scope="module")
def copied(finished, tmp_path_factory) -> Path:
    """A copy of the finished project, to tamper with."""
    folder = tmp_path_factory.mktemp("copied") / "project"
    ignored = shutil.ignore_patterns(".snakemake", "mlflow*")
    return Path(shutil.copytree(finished.folder, folder, ignore=ignored))


@pytest.fixture
def here(copied: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(copied)
    return copied


@contextmanager
def restored(path: Path) -> Iterator[Path]:
    """A place beside everything for the original of `path`, which comes back in the end."""
    aside = Path("aside")
    path.rename(aside)
    try:
        yield aside
    finally:
        path.unlink(missing_ok=True)
        aside.rename(path)


def refused() -> list[str]:
    """What `trace` says is bad, as `STATE path`."""
    with pytest.raises(InputError) as error:
        trace(TABLE, "dpeformer")
    return [line.strip() for line in str(error.value).splitlines()]


def test_the_chain_of_a_cell_reaches_the_archive(here: Path, capsys) -> None:
    trace(TABLE, "dpeformer/blended")
    printed = capsys.readouterr().out
    for path in (*FILES, *SOURCES):
        folder = str(Path(path).parent)  # the files of a folder with shards.json are one line
        assert path in printed or folder in printed
    archive = "results/synthetic/archive.zip"
    assert any(
        line.startswith(f"ok      {sha256(Path(archive))} ") and line.endswith(archive)
        for line in printed.splitlines()
    )
    record = read_json(Path(RUN) / "run.json")
    assert f"{record['started']} to {record['finished']}" in printed
    with open(TABLE) as file:
        rows = [row for row in csv.DictReader(file) if row["variant"] == "dpeformer"]
    blended = next(row for row in rows if row["feature"] == "blended")
    assert f"mAP {blended['map_mean']} ± {blended['map_std']}; seeds: 2" in printed
    assert "CHANGED" not in printed
    assert "no hash" not in printed
    assert "results/synthetic/baseline" not in printed


def flipped_bit_is_named(path: Path, place: float) -> None:
    """Change one bit of the byte at this share of the file."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    with restored(path):
        path.write_bytes(data)
        named = (f"CHANGED {path}", f"BROKEN {path}", f"{path}: expected a table")
        assert any(line.startswith(named) for line in refused())


@pytest.mark.parametrize("place", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("name", [*FILES, SOURCES[0], SOURCES[3]])
def test_a_flipped_bit_is_noticed_and_named(here: Path, name: str, place: float) -> None:
    flipped_bit_is_named(Path(name), place)


@pytest.mark.parametrize("pattern", ["synthetic/images/**/*.jpg", "occluders/scenes/*.png"])
def test_a_flipped_bit_of_an_image_is_noticed_and_named(here: Path, pattern: str) -> None:
    images = Path("results").glob(pattern)
    listed = [path for path in images if not path.name.startswith("-1_")]  # not the junk
    flipped_bit_is_named(listed[0], 0.5)


@pytest.mark.parametrize("name", FILES[1:3] + FILES[4:])
def test_a_file_that_is_not_there_is_missed(here: Path, name: str) -> None:
    with restored(Path(name)):
        assert f"MISSING {name}" in refused()


def test_a_record_is_not_followed_once_it_was_changed(here: Path) -> None:
    """Else what it names would be blamed."""
    record, weights = Path(RUN) / "run.json", read_json(Path(RUN) / "run.json")["hashes"]["weights"]
    text = record.read_text()
    with restored(record):
        record.write_text(text.replace(weights, "0" * 64))
        assert [line for line in refused() if line.split()[0].isupper()] == [f"CHANGED {record}"]


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_may_be_gone(here: Path, name: str, capsys) -> None:
    with restored(Path(name)):
        trace(TABLE, "dpeformer")
        lines = capsys.readouterr().out.splitlines()
        assert any(line.startswith("gone") and f" {name}" in line for line in lines)


@pytest.mark.parametrize("column", ["map_mean", "map_std", "rank1_mean"])
def test_a_digit_of_the_table_is_not_changed_unnoticed(here: Path, column: str) -> None:
    with open(TABLE, newline="") as file:
        rows = list(csv.reader(file))
    place = rows[0].index(column)
    digit = rows[-1][place][-1]
    rows[-1][place] = rows[-1][place][:-1] + str(9 - int(digit))
    with restored(TABLE):
        with open(TABLE, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        assert refused()[1:2] == [f"CHANGED {TABLE}"]


def test_a_number_of_a_run_is_not_changed_unnoticed(here: Path) -> None:
    metrics = Path(RUN) / "metrics.json"
    values = read_json(metrics)
    with restored(metrics):
        values["features"]["blended"]["map"] += 1
        write_json(metrics, values)
        assert {f"CHANGED {TABLE}", f"CHANGED {TABLE.with_suffix('.md')}"} <= set(refused())


def test_snakemake_prints_the_chain_and_makes_nothing_anew(finished, here: Path) -> None:
    project = replace(finished, folder=here)
    asked = ("provenance", "--config", "cell=dpeformer/blended")
    done = project.snakemake(*asked)
    assert done.returncode == 0, done.stdout[-3000:]
    assert sha256(here / "results/synthetic/archive.zip") in done.stdout
    assert "every file that it was made of is as recorded" in done.stdout
    queries = here / RUN / "queries.csv"
    with restored(queries) as original:
        queries.write_bytes(original.read_bytes() + b"\n")
        done = project.snakemake(*asked)
    assert done.returncode != 0
    assert f"CHANGED {RUN}/queries.csv" in done.stdout
    assert {line for line in done.stdout.splitlines() if "rule " in line and ":" in line} <= {
        "localrule provenance:",
        "Error in rule provenance:",
    }


def test_a_cell_that_is_none_is_refused_with_those_that_are(here: Path) -> None:
    with pytest.raises(InputError, match=r"found 'dpsm/coarse'.*baseline/coarse.*dpeformer/blende"):
        trace(TABLE, "dpsm/coarse")
    with pytest.raises(InputError, match=r"none\.csv: there is no such table"):
        trace(TABLE.with_name("none.csv"))
