"""The figure of mAP: its points are those of the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer

from pipeline.evaluation.metrics import METRICS
from pipeline.figures.ablation import STYLES, ablation_figure, draw_ablation
from pipeline.files import write_json
from pipeline.run import Run
from pipeline.tables.runs import collect_runs
from tests.figures.figure_checks import read

FEATURES = {"baseline": ("coarse", "global"), "dpeformer": ("blended", "coarse", "global")}


def write_runs(folder: Path, seeds: int) -> list[Run]:
    """Write runs with mAP 50 + length of the variant's name + 10 x index of the feature + seed²."""
    runs = []
    for variant, seed in np.ndindex(len(FEATURES), seeds):
        name = list(FEATURES)[variant]
        head = {"dataset": "plain", "trained_on": "plain", "variant": name, "seed": seed}
        values = {
            feature: dict.fromkeys(METRICS, 50.0 + len(name) + 10 * index + seed**2)
            for index, feature in enumerate(FEATURES[name])
        }
        runs.append(Run(folder / name / f"seed{seed}"))
        runs[-1].folder.mkdir(parents=True)
        metrics = head | {"run": "hash", "features": values, "evaluation": {}}
        write_json(runs[-1].folder / "metrics.json", metrics)
    return runs


def test_rows_have_means_deviations_and_seeds(tmp_path: Path) -> None:
    (axes,) = ablation_figure(collect_runs(write_runs(tmp_path, 3), list(FEATURES))).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(FEATURES)
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first on top
    mean, deviation = np.mean([0, 1, 4]), np.std([0, 1, 4], ddof=1)
    bars = [item for item in axes.containers if isinstance(item, ErrorbarContainer)]
    for y, (bar, tested) in enumerate(zip(bars, ("coarse", "blended"), strict=True)):
        middle = 50 + len(list(FEATURES)[y]) + mean
        np.testing.assert_allclose(bar.lines[0].get_xydata(), [(middle, y)])
        assert bar.lines[0].get_color() == STYLES[tested][0]
        np.testing.assert_allclose(
            bar.lines[2][0].get_segments()[0], [(middle - deviation, y), (middle + deviation, y)]
        )
    points = {tuple(point) for line in axes.lines for point in line.get_xydata()}
    assert points >= {(58 + square, 0.25) for square in (0, 1, 4)}
    assert points >= {(68 + mean, 0), (69 + mean, 1), (79 + mean, 1)}  # the other features


@pytest.mark.parametrize("seeds", [1, 3])
def test_figure_fits_and_has_the_same_bytes_again(tmp_path: Path, seeds: int) -> None:
    runs = write_runs(tmp_path, seeds)
    for name in ("a.png", "b.png"):
        draw_ablation(runs, tmp_path / name, list(FEATURES))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (read(tmp_path / "a.png") != 255).any()
