"""The benchmark of a job's start prints times and ratios."""

from __future__ import annotations

import re

import pytest

from benchmarks import start
from pipeline.launcher import load_stage


def test_times_are_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "STARTS", (start.Start("pipeline.downloads.fetch:fetch", "ast"),))
    start.main(["--rounds", "1"])
    assert re.fullmatch(
        r"pipeline\.downloads\.fetch: [\d.]+ s, [\d.]+ x its libraries \(ast\)\n",
        capsys.readouterr().out,
    )


@pytest.mark.parametrize("stage", [each.stage for each in start.STARTS])
def test_stages_exist(stage: str) -> None:
    assert load_stage(stage)
