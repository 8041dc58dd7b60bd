"""The figure of the cross-domain matrix: its numbers are those of the runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation.metrics import METRICS
from pipeline.figures.cross_domain import cross_domain_figure, draw_cross_domain
from pipeline.figures.sheets import ORANGE, rgb
from pipeline.files import write_json
from pipeline.tables.cross_domain import read_matrix
from tests.figures.figure_checks import read

VARIANTS = ["baseline", "dpsm", "dpsm_fbm", "dpeformer"]
TRAINED, TESTED = ["a", "folder:b", "a+folder:b"], ["a", "folder:b", "c"]


def write_matrix(folder: Path, seeds: int) -> list[Path]:
    """Write metrics with mAP 10 x row + column + 20 x index of the variant + seed."""
    paths = []
    for row, column, variant, seed in np.ndindex(len(TRAINED), len(TESTED), len(VARIANTS), seeds):
        head = {"dataset": TESTED[column], "trained_on": TRAINED[row]}
        head |= {"variant": VARIANTS[variant], "seed": seed, "run": "hash", "evaluation": {}}
        value = 10.0 * row + column + 20 * variant + seed
        features = {"coarse": dict.fromkeys(METRICS, value), "global": dict.fromkeys(METRICS, 1.0)}
        path = folder / f"{row}{column}" / VARIANTS[variant] / f"seed{seed}" / "metrics.json"
        path.parent.mkdir(parents=True)
        write_json(path, head | {"features": features})
        paths.append(path)
    return paths


def test_every_cell_shows_the_mean_over_the_seeds(tmp_path: Path) -> None:
    matrix = read_matrix(write_matrix(tmp_path, 2), VARIANTS)
    panels = cross_domain_figure(matrix, VARIANTS).axes
    for variant, name in enumerate(VARIANTS):
        axes = panels[variant]
        assert axes.get_title() == name
        beside = [label.get_text() for label in axes.get_yticklabels()]
        assert beside == (TRAINED if variant in (0, 3) else [])  # three panels share a line
        below = [label.get_text() for label in axes.get_xticklabels()]
        assert below == ([] if variant == 0 else TESTED)  # the last panel is below the first
        rows, columns = np.indices((3, 3))
        expected = 10 * rows + columns + 20 * variant + 0.5
        np.testing.assert_array_equal(axes.images[0].get_array(), expected)
        texts = {text.get_position(): text.get_text() for text in axes.texts}
        assert texts == {(x, y): f"{expected[y, x]:.1f} ± 0.7" for y, x in np.ndindex(3, 3)}


def test_frames_mark_the_datasets_that_were_trained_on(tmp_path: Path) -> None:
    panel = cross_domain_figure(read_matrix(write_matrix(tmp_path, 1), VARIANTS), VARIANTS).axes[0]
    frames = {(round(p.get_x() + 0.46), round(p.get_y() + 0.44)) for p in panel.patches}
    assert frames == {(0, 0), (1, 1), (0, 2), (1, 2)}  # (column, row)


@pytest.mark.parametrize("seeds", [1, 3])
def test_matrix_figure_fits_and_has_the_same_bytes_again(tmp_path: Path, seeds: int) -> None:
    metrics = write_matrix(tmp_path / "runs", seeds)
    for name in ("a.png", "b.png"):
        draw_cross_domain(metrics, tmp_path / name, VARIANTS)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (read(tmp_path / "a.png") == rgb(ORANGE)).all(-1).any()
