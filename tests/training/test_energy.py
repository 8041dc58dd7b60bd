"""Energy counters of made-up processors; those of a GPU need one (test_gpu.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.training import energy
from pipeline.training.energy import EnergyMeter


@pytest.fixture
def counters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files of two packages, with 5 and 7 J; a counter starts again at 100 J."""
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    files = []
    for number, joules in enumerate((5, 7)):
        folder = tmp_path / f"intel-rapl:{number}"
        folder.mkdir()
        (folder / "name").write_text(f"package-{number}\n")
        (folder / "max_energy_range_uj").write_text("100000000\n")
        (folder / "energy_uj").write_text(f"{joules}000000\n")
        files.append(folder / "energy_uj")
    (tmp_path / "intel-rapl:0:0").mkdir()  # a part of the first package
    return files


def test_differences_are_added_also_when_a_counter_starts_again(counters: list[Path]) -> None:
    meter = EnergyMeter((), used := {})
    for joules in (25, 95, 10):
        counters[0].write_text(f"{joules}000000\n")
        meter.update()
    assert used == {"package-0": 20 + 70 + 15, "package-1": 0}


def test_energy_before_an_interruption_is_kept(counters: list[Path]) -> None:
    meter = EnergyMeter((), used := {"package-1": 30.0})
    counters[1].write_text("9000000\n")
    meter.update()
    assert used == {"package-0": 0, "package-1": 32}


def test_counters_that_cannot_be_read_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    (tmp_path / "intel-rapl:0").mkdir()
    meter = EnergyMeter((), used := {})
    meter.update()
    assert used == {}
