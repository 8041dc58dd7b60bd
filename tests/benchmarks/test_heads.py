"""The benchmark of the heads, on a small scale."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
OTHER = ["snakemake", "mlflow", "webdataset", "pandas", "matplotlib", "segment_anything", "sklearn"]
RUN = f"""
import sys
for name in {OTHER}:
    sys.modules[name] = None  # importing it is an error
from benchmarks.heads import main
main()
"""


def test_prints_the_ratio_without_other_packages_of_the_workflow(warm: Path) -> None:
    small = ["--backbone", "vit_tiny_patch16_224", "--images", "2", "--rounds", "1"]
    words = [str(warm / "python"), "-c", RUN, *small, "--device", "cpu", "--precision", "float32"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = dict(re.findall(r"^(.+?) +([\d.]+) ms", done.stdout, re.MULTILINE))
    assert list(found)[:4] == ["backbone", "step", "DPSM", "FBM"]
    ratio = re.search(r"step / backbone: ([\d.]+)", done.stdout)
    assert ratio is not None
    expected = float(found["step"]) / float(found["backbone"])
    assert float(ratio[1]) == pytest.approx(expected, abs=2e-3)
