"""The figure of open-set curves: what is drawn, and that the same runs give the same picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.figures.open_set import PANELS, draw_open_set, open_set_figure, read_curves
from pipeline.run import Run
from tests.figures.figure_checks import read

FPR = [1e-4, 1e-3, 1e-2, 0.1, 1.0]


def write_run(folder: Path, variant: str, seed: int, unknown: bool = True) -> Run:
    path = folder / variant / f"seed{seed}"
    path.mkdir(parents=True)
    head = {"variant": variant, "seed": seed}
    tpr = np.linspace(0.1 + 0.1 * seed, 1, len(FPR)).tolist()
    report: dict[str, Any] = {
        **head,
        "feature": "coarse",
        "threshold": 0.5,
        "verification": {"curve": {"fpr": FPR, "tpr": tpr}},
        "identification": {"curve": {"fpr": FPR[2:], "tpr": tpr[2:]}} if unknown else None,
    }
    (path / "open_set.json").write_text(json.dumps(report))
    (path / "run.json").write_text(json.dumps(head))
    return Run(path, {name: path / name for name in ("open_set.json", "run.json")})


def test_each_panel_has_the_mean_of_the_seeds(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, name, seed) for name in ("baseline", "full") for seed in (0, 2)]
    panels = open_set_figure(read_curves(runs)).axes
    assert [axes.get_title() for axes in panels] == [*PANELS.values()]
    mean = np.linspace(0.2, 1, len(FPR))
    expected = [(FPR, mean), (FPR[:-1], 1 - mean[:-1]), (FPR[2:], mean[2:])]
    for axes, (x, y) in zip(panels, expected, strict=True):
        lines = [line for line in axes.lines if line.get_label().endswith("(coarse)")]
        assert [line.get_label() for line in lines] == ["baseline (coarse)", "full (coarse)"]
        for line in lines:
            np.testing.assert_allclose(line.get_xdata(), x)
            np.testing.assert_allclose(line.get_ydata(), y)


def test_without_unknown_people_the_panel_is_left_out(tmp_path: Path) -> None:
    rows = read_curves([write_run(tmp_path, "baseline", 0, unknown=False)])
    assert len(open_set_figure(rows).axes) == 2


def test_the_picture_is_whole_and_the_same_every_time(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, name, seed) for name in ("baseline", "full") for seed in (0, 1)]
    for name in ("a.png", "b.png"):
        draw_open_set(runs, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (read(tmp_path / "a.png") != 255).any()


def test_damaged_report_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path, "baseline", 0)
    run.path("open_set.json").write_text('{"variant": "baseline", "seed": 0}')
    with pytest.raises(InputError, match=r"open_set\.json: .*feature.*run open_set again"):
        read_curves([run])
    with pytest.raises(InputError, match="found none"):
        read_curves([])
