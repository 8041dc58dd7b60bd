"""Agreement of two tables of the same configuration."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.run import HEADLINES
from pipeline.tables.agree import agree, compare_tables
from pipeline.tables.tabulate import COLUMNS, read_table

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "workflow" / "report" / "components.csv"


def write_table(path: Path, rows: dict[str, dict[str, str]]) -> Path:
    """Write a table of the test features of variants; values default to 50.0 ± 1.0."""
    usual = {name: "1.0" if name.endswith("_std") else "50.0" for name in COLUMNS}
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for variant, values in rows.items():
            writer.writerow(usual | {"variant": variant, "feature": "coarse"} | values)
    return path


@pytest.fixture
def there(tmp_path: Path) -> Path:
    return write_table(tmp_path / "there.csv", {"baseline": {}, "dpsm": {"map_std": "7.0"}})


def test_difference_within_the_deviation_agrees(
    there: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """5 = sqrt((1 + 49) / 2)."""
    here = {"baseline": {"rank1_mean": "51.0"}, "dpsm": {"map_mean": "45.0"}}
    agree(write_table(tmp_path / "here.csv", here), there)
    *lines, last = capsys.readouterr().out.splitlines()
    assert "all 4 means agree with" in last
    expected = "dpsm coarse mAP: 45.00, reference 50.00, difference 5.00, deviation 5.00"
    assert lines[3] == expected


@pytest.mark.parametrize("mean", ["44.99", "55.01"])
def test_larger_difference_is_named(there: Path, tmp_path: Path, mean: str) -> None:
    here = {"baseline": {}, "dpsm": {"map_mean": mean}}
    with pytest.raises(InputError, match=r"here\.csv: 1 of 4 means .*\n  dpsm coarse mAP: "):
        agree(write_table(tmp_path / "here.csv", here), there)


def test_tables_with_other_rows_are_refused(there: Path, tmp_path: Path) -> None:
    here = write_table(tmp_path / "here.csv", {"baseline": {}, "dpeformer": {}})
    with pytest.raises(InputError, match="only one of them: dpeformer/coarse, dpsm/coarse"):
        agree(here, there)


@pytest.mark.parametrize("name", ["dataset", "trained_on", "seeds"])
def test_tables_of_other_data_or_seeds_are_refused(there: Path, tmp_path: Path, name: str) -> None:
    here = write_table(tmp_path / "here.csv", {"baseline": {}, "dpsm": {name: "7"}})
    with pytest.raises(InputError, match=rf"here\.csv: expected the {name} of .*there\.csv"):
        agree(here, there)


def test_single_seed_is_refused(there: Path, tmp_path: Path) -> None:
    here = write_table(tmp_path / "here.csv", {"baseline": {"map_std": ""}, "dpsm": {}})
    with pytest.raises(InputError, match="baseline coarse mAP: expected several seeds, found one"):
        agree(here, there)


def test_missing_file_is_named(there: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: no such table"):
        agree(there, tmp_path / "none.csv")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"a,b\n1,2\n",
        lambda data: b"\x89PNG" + data,  # not text
        lambda data: data + b"0" * 200_000,  # longer than a CSV field can be
        lambda data: data[: data.rindex(b",")],  # cut off
        lambda data: data.replace(b"50.0", b"5O.0"),
        lambda data: data.replace(b",7.0", b",x"),
    ],
)
def test_a_damaged_table_is_named(
    there: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    damaged = tmp_path / "damaged.csv"
    damaged.write_bytes(damage(there.read_bytes()))
    with pytest.raises(InputError, match=r"damaged\.csv: expected a table with the columns"):
        agree(there, damaged)


def readme_table(path: Path) -> Path:
    """Write the table of README.md, which has mAP ± deviation / Rank-1 without its deviation."""
    text = (ROOT / "README.md").read_text()
    head = next(line for line in text.splitlines() if line.startswith("| variant | coarse |"))
    features = [cell.strip().replace(" + ", "_") for cell in head.split("|")[2:-1]]
    known, rows = read_table(REFERENCE), []
    for variant, cells in re.findall(r"^\| `(\w+)` \|(.*)\|$", text, re.MULTILINE):
        for feature, cell in zip(features, cells.split("|"), strict=True):
            if found := re.fullmatch(r" ([\d.]+) ± ([\d.]+) / ([\d.]+) ", cell):
                row = known[variant, feature]
                names = ("map_mean", "map_std", "rank1_mean")
                rows.append(row | dict(zip(names, found.groups(), strict=True)))
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_table_of_the_readme_agrees_with_the_committed_one(tmp_path: Path) -> None:
    found = compare_tables(readme_table(tmp_path / "readme.csv"), REFERENCE)
    assert len(found) == 26 * len(HEADLINES)
    printed = 0.05 + 1e-9  # to one digit
    assert [str(one) for one in found if abs(one.mean - one.reference) > printed] == []
