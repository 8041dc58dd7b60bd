"""mAP by the occluded fraction of the person, against plain loops."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InputError
from pipeline.evaluation.queries import COLUMNS
from pipeline.figures import map_by_occlusion
from pipeline.run import Run
from tests.figures.figure_checks import read

QUERIES = 23


@pytest.fixture
def ground_truth(tmp_path: Path) -> Path:
    """Write visible fractions of training, query and gallery images: only queries count."""
    rng = np.random.default_rng(0)
    names, visible = ["bounding_box_train/0001_c1.jpg"], [0.99]
    for i in range(QUERIES):
        names += [f"query/{i:04d}_c1.jpg", f"bounding_box_test/{i:04d}_c2.jpg"]
        visible += [round(rng.uniform(0.3, 0.7), 1), 0.95]  # rounded: there are ties
    path = tmp_path / "ground_truth.npz"
    np.savez(path, name=np.array(names), visible=np.array(visible, np.float32))
    return path


def make_run(folder: Path, variant: str, seed: int, feature: str = "coarse") -> Run:
    rng = np.random.default_rng([seed, len(variant)])
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"variant": variant, "seed": seed}))
    keys = [f"{i:04d}_c1" for i in rng.permutation(QUERIES)]
    frames = [
        pd.DataFrame(dict.fromkeys(COLUMNS, 0), range(QUERIES)).assign(
            feature=name, query=keys, ap=rng.random(QUERIES), top10="[]"
        )
        for name in ("global", feature)
    ]
    frames[1].loc[frames[1]["query"] == "0003_c1", "ap"] = np.nan  # a query without a match
    pd.concat(frames).to_csv(folder / "queries.csv", index=False)
    return Run(folder)


def plain_bins(fractions: dict[str, float]) -> list[list[str]]:
    """Split the sorted keys into five bins; the first ones may have one more."""
    order = sorted(fractions, key=lambda key: (fractions[key], key))
    sizes = [len(order) // 5 + (i < len(order) % 5) for i in range(5)]
    return [[order.pop(0) for _ in range(size)] for size in sizes]


def test_occlusion_is_read_for_queries_only(ground_truth: Path) -> None:
    occlusion = map_by_occlusion.read_occlusion(ground_truth)
    with np.load(ground_truth) as arrays:
        visible = dict(zip(arrays["name"].tolist(), arrays["visible"].tolist(), strict=True))
    assert occlusion.index.tolist() == [f"{i:04d}_c1" for i in range(QUERIES)]
    for key, fraction in occlusion.items():
        assert fraction == pytest.approx(100 * (1 - visible[f"query/{key}.jpg"]))
    with pytest.raises(InputError, match=r"none\.npz: no such file"):
        map_by_occlusion.read_occlusion(ground_truth.with_name("none.npz"))


def test_map_of_a_bin_is_the_mean_over_its_queries(ground_truth: Path, tmp_path: Path) -> None:
    occlusion = map_by_occlusion.read_occlusion(ground_truth)
    run = make_run(tmp_path / "run", "some", 3)
    rows = map_by_occlusion.binned_map([run], occlusion)
    table = pd.read_csv(run.path("queries.csv"))
    found = {r.query: r.ap for r in table.itertuples() if r.feature == "coarse" and r.ap == r.ap}
    bins = plain_bins({key: occlusion[key] for key in found})
    assert [len(keys) for keys in bins] == [5, 5, 4, 4, 4]
    assert rows["bin"].tolist() == [1, 2, 3, 4, 5]
    for row, keys in zip(rows.itertuples(), bins, strict=True):
        inside = [occlusion[key] for key in keys]
        assert (row.variant, row.feature, row.seed) == ("some", "coarse", 3)
        assert row.queries == len(keys)
        assert row.map == pytest.approx(100 * sum(found[key] for key in keys) / len(keys))
        assert row.hidden_least == pytest.approx(min(inside))
        assert row.hidden_mean == pytest.approx(sum(inside) / len(inside))
        assert row.hidden_largest == pytest.approx(max(inside))


def test_line_is_the_mean_over_seeds(ground_truth: Path, tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path / "z0", "zero", 0),
        make_run(tmp_path / "z1", "zero", 1),
        make_run(tmp_path / "a0", "another", 0, "blended"),
    ]
    rows = map_by_occlusion.binned_map(runs, map_by_occlusion.read_occlusion(ground_truth))
    (axes,) = map_by_occlusion.map_by_occlusion_figure(rows).axes
    assert [line.get_label() for line in axes.lines] == ["zero (coarse)", "another (blended)"]
    one, other = (rows[(rows["variant"] == "zero") & (rows["seed"] == s)] for s in (0, 1))
    mean = (one["map"].to_numpy() + other["map"].to_numpy()) / 2
    np.testing.assert_allclose(axes.lines[0].get_ydata(), mean)
    np.testing.assert_allclose(axes.lines[0].get_xdata(), one["hidden_mean"])
    assert [text.get_text().split("\n")[1] for text in axes.get_xticklabels()] == [
        *["5 queries"] * 2,
        *["4 queries"] * 3,
    ]


def test_figure_and_table_are_written(ground_truth: Path, tmp_path: Path) -> None:
    runs = [make_run(tmp_path / str(seed), "some", seed) for seed in range(2)]
    figure, table = tmp_path / "a.png", tmp_path / "a.csv"
    map_by_occlusion.draw_map_by_occlusion(runs, ground_truth, figure, table)
    read(figure)
    expected = map_by_occlusion.binned_map(runs, map_by_occlusion.read_occlusion(ground_truth))
    pd.testing.assert_frame_equal(pd.read_csv(table), expected, atol=1e-4)


def test_runs_of_another_benchmark_are_refused(ground_truth: Path, tmp_path: Path) -> None:
    occlusion = map_by_occlusion.read_occlusion(ground_truth)
    run = make_run(tmp_path / "run", "some", 0)
    with pytest.raises(InputError, match=r"queries\.csv: expected the 22 queries .* found 23"):
        map_by_occlusion.binned_map([run], occlusion.iloc[1:])
