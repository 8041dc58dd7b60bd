"""The benchmark of the renderer prints times of both sizes, their stages and a person's time."""

from __future__ import annotations

import re

import pytest

from benchmarks import rendering


def test_times_and_fractions_are_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "HEIGHTS", (64,))
    monkeypatch.setattr(rendering, "PEOPLE", 2)
    rendering.main(["--crops", "2", "--rounds", "1"])
    printed = capsys.readouterr().out
    assert re.search(r"^64 x 32: [\d.]+ ms, \d+ crops a minute$", printed, re.M)
    fractions = re.findall(r"^ +(\d+)% (\w+):", printed, re.M)
    assert [name for _, name in fractions] == list(rendering.STAGES)
    assert all(0 < int(percent) < 100 for percent, _ in fractions)
    assert re.search(r"^a new person: [\d.]+ ms$", printed, re.M)
