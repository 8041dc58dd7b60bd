"""The benchmark of exported networks prints times and ratios."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.export import main
from pipeline.model.build import build_model, describe
from pipeline.model.weights import save_weights
from pipeline.options.run import ImageOptions, ModelOptions, RunOptions
from tests.tiny import tiny_backbone


@pytest.mark.long
def test_times_and_ratios_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = RunOptions(
        image=ImageOptions(height=32, width=16),
        backbone=tiny_backbone(),
        model=ModelOptions(k_min=2),
    )
    weights = tmp_path / "weights.safetensors"
    save_weights(build_model(options, 1, pretrained=False), weights, describe(options, []))
    main(["--model", str(weights), "--repeats", "2"])
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "32 x 16 pixels; CPU time of one thread, best of 2"
    assert [line.split(":")[0] for line in lines] == ["batch 1", "batch 32"]
    for line in lines:
        by_torch, by_onnx, ratio = map(
            float, re.findall(r"PyTorch ([\d.]+) .* Runtime ([\d.]+) \(([\d.]+) x", line)[0]
        )
        assert by_torch > 0
        assert by_onnx > 0
        assert ratio > 0
