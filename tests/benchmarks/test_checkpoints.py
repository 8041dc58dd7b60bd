"""The benchmark of checkpoints and hashes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from benchmarks.checkpoints import main, stopwatch
from tests.training.tiny_data import make_bank, make_shards, tiny_options


def test_prints_the_percentage_of_checkpoints_and_hashes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for make, name in ((make_shards, "synthetic/shards"), (make_bank, "occluders/bank")):
        (tmp_path / name).mkdir(parents=True)
        make(tmp_path / name)
    tiny = tiny_options().model_dump(mode="json") | {
        "variants": {"baseline": {}, "dpeformer": {}},
        "compute": {"device": "cpu", "checkpoint_steps": 2},
    }
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    main(["--config", str(tmp_path / "tiny.yaml"), "--results", str(tmp_path)])
    printed = capsys.readouterr().out
    lines = re.findall(r"^(\S.+?) +(\d*)(?: x)? +([\d.]+) s$", printed, re.MULTILINE)
    *parts, whole = [(label, count, float(seconds)) for label, count, seconds in lines]
    counts = {label: count for label, count, _ in parts}
    assert counts["checkpoints, saved and hashed"] == "4"  # 6 steps, and the end
    assert counts["hashes of shards and bank"] == "2"
    percent = re.search(r"whole run: ([\d.]+) %", printed)
    assert percent is not None
    expected = 100 * sum(seconds for *_, seconds in parts) / whole[2]
    assert float(percent[1]) == pytest.approx(expected, abs=1.0)
    assert {path.name for path in tmp_path.iterdir()} == {"tiny.yaml", "synthetic", "occluders"}


def test_stopwatch_measures_while_open() -> None:
    class Owner:
        @staticmethod
        def work(n: int) -> int:
            return 2 * n

    with stopwatch({"work": (Owner, "work")}) as times:
        assert [Owner.work(n) for n in (1, 2)] == [2, 4]
    Owner.work(3)
    assert len(times["work"]) == 2
    assert all(seconds > 0 for seconds in times["work"])
