"""The pictures of the benchmark, bank, views, ranks and curves show what they say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.data.shards import ShardReader
from pipeline.errors import InputError
from pipeline.evaluation.features import read_features
from pipeline.figures import bank_sheet, benchmark_sheet, curves, ranks, views_sheet
from pipeline.figures.queries import choose_queries
from pipeline.figures.sheets import BLUE, GREEN, VERMILION, rgb
from pipeline.options.figures import FigureOptions
from pipeline.run import Run
from tests.figures.figure_checks import OPTIONS, cell, centre, edge, make_scored_run, read

Colour = Callable[[str, int, int], tuple[int, int, int]]


def test_the_benchmark_sheet_has_each_split_in_its_row(
    shards: Path, tmp_path: Path, colour_of: Colour
) -> None:
    benchmark_sheet.draw_benchmark_sheet(shards, shards, tmp_path / "a.png")
    sheet, module = read(tmp_path / "a.png"), benchmark_sheet
    chosen = (1, 3, 4)  # evenly out of 1, 2, 3, 4
    for row, identity in enumerate(chosen):
        for column, camera in enumerate((1, 2, 3)):
            assert centre(module, sheet, row, column) == colour_of("train", identity, camera)
    query = module.QUERIES + module.GALLERY + 1
    assert centre(module, sheet, 3, query) == colour_of("query", 12, 1)
    assert edge(module, sheet, 3, query) == rgb(BLUE)
    assert centre(module, sheet, 3, query + 1) == colour_of("gallery", 12, 2)
    assert edge(module, sheet, 3, query + 1) == colour_of("gallery", 12, 2)
    assert centre(module, sheet, 4, 0) == colour_of("query", 13, 1)
    assert centre(module, sheet, 5, 1) == colour_of("gallery", 0, 3)
    benchmark_sheet.draw_benchmark_sheet(shards, shards, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_bank_sheet_shows_the_board_through_transparent_pixels(
    bank: Path, tmp_path: Path
) -> None:
    bank_sheet.draw_bank_sheet(bank, tmp_path / "bank.png")
    sheet = read(tmp_path / "bank.png")
    for column in range(3):
        assert centre(bank_sheet, sheet, 0, column) == (255, 0, 0)
        corner = cell(bank_sheet, sheet, 0, column)[1, 1]
        assert len(set(corner.tolist())) == 1  # grey
    assert (cell(bank_sheet, sheet, 0, 3) == 255).all()
    chart = sheet[-bank_sheet.LAYOUT.bottom :]
    bars = (chart == rgb(BLUE)).all(2), (chart == rgb("#BBBBBB")).all(2)
    kept, dropped = (np.nonzero(bar.sum(0) > 30)[0] for bar in bars)  # not the grey of letters
    assert np.ptp(dropped) == pytest.approx(np.ptp(kept) * 2 / 3, rel=0.02)  # 2 against 3 masks


def test_a_half_transparent_pixel_is_half_of_both() -> None:
    pixel = np.array([[[200, 0, 0, 128]]], np.uint8)
    np.testing.assert_array_equal(bank_sheet.on_checkerboard(pixel)[0, 0], [207, 107, 107])


def test_the_bank_sheet_needs_a_bank(bank: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="table\\.csv"):
        bank_sheet.draw_bank_sheet(tmp_path, tmp_path / "bank.png")
    (tmp_path / "table.csv").write_text("key,verdict\n")
    with pytest.raises(InputError, match="found none"):
        bank_sheet.draw_bank_sheet(tmp_path, tmp_path / "bank.png")
    assert not (tmp_path / "bank.png").exists()


def test_the_second_view_is_the_clean_one_with_an_object_over_it(
    shards: Path, bank: Path, tmp_path: Path
) -> None:
    views_sheet.draw_views_sheet(shards, bank, tmp_path / "a.png", OPTIONS)
    sheet = read(tmp_path / "a.png")
    for column in range(12):
        clean, second = (cell(views_sheet, sheet, row, column) for row in (0, 1))
        red = (second[..., 0] > 200) & (second[..., 1:] < 40).all(-1)
        assert red.any()
        assert not ((clean[..., 0] > 200) & (clean[..., 1:] < 40).all(-1)).any()
    views_sheet.draw_views_sheet(shards, bank, tmp_path / "b.png", OPTIONS)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    views_sheet.draw_views_sheet(shards, bank, tmp_path / "b.png", OPTIONS, seed=1)
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


@pytest.fixture(scope="module")
def runs(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return (
        make_scored_run(folder / "baseline", shards, "baseline", 0),
        make_scored_run(folder / "variant", shards, "dpeformer", 1),
    )


def test_ranks_are_framed_green_exactly_where_the_identity_is_the_querys(
    shards: Path, runs: tuple[Path, Path], tmp_path: Path, colour_of: Colour
) -> None:
    options = FigureOptions(count=3)
    ranks.draw_ranks(shards, *map(Run, runs), tmp_path / "ranks.png", options)
    sheet = read(tmp_path / "ranks.png")
    read_runs = [Run(run) for run in runs]
    assert [run.test_feature for run in read_runs] == ["coarse", "blended"]
    chosen = choose_queries(ranks.gains(*(run.queries["ap"] for run in read_runs)), options)
    frames = set()
    for number, query in enumerate(chosen):
        identity = int(query.split("_")[1])
        for which, run in enumerate(read_runs):
            row = 2 * number + which
            assert centre(ranks, sheet, row, 0) == colour_of("query", identity, 1)
            for column, key in enumerate(run.queries.loc[query, "top10"], start=1):
                found, camera = (int(part) for part in key.split("_")[1:3])
                assert centre(ranks, sheet, row, column) == colour_of("gallery", found, camera)
                expected = GREEN if found == identity else VERMILION
                assert edge(ranks, sheet, row, column) == rgb(expected)
                frames.add(expected)
    assert frames == {GREEN, VERMILION}


def test_a_ranked_list_says_the_camera_and_the_euclidean_distance(
    shards: Path, runs: tuple[Path, Path]
) -> None:
    run, arrays = Run(runs[1]), read_features(runs[1] / "features.npz")
    place = {key: i for i, key in enumerate(arrays["gallery_keys"])}
    unit = {
        split: [v / np.linalg.norm(v) for v in arrays[f"{split}_blended"]]
        for split in ("query", "gallery")
    }
    readers = ShardReader(shards, "query"), ShardReader(shards, "gallery")
    for number, (query, row) in enumerate(run.queries.iterrows()):
        shown = ranks.read_distances(run, [query])[query]
        tiles = ranks.ranked_row(run, query, shown, readers).tiles[1:]
        distances = []
        for key, tile in zip(row["top10"], tiles, strict=True):
            distance = np.linalg.norm(unit["query"][number] - unit["gallery"][place[key]])
            mark = "✓" if key.split("_")[1] == query.split("_")[1] else "✗"
            assert tile.caption == f"{mark} c{key.split('_')[2]} {distance:.2f}"
            distances.append(distance)
        assert distances == sorted(distances)


def test_a_feature_is_at_no_distance_from_itself(runs: tuple[Path, Path], tmp_path: Path) -> None:
    """Longer or shorter: features are compared at length 1."""
    arrays = read_features(runs[1] / "features.npz")
    for name in ("run.json", "queries.csv"):
        (tmp_path / name).write_bytes((runs[1] / name).read_bytes())
    run = Run(tmp_path)
    for query, keys in zip(run.queries.index, run.queries["top10"], strict=True):
        (row,) = np.flatnonzero(arrays["query_keys"] == query)
        (column,) = np.flatnonzero(arrays["gallery_keys"] == keys[2])
        arrays["gallery_blended"][column] = arrays["query_blended"][row] * 3
        np.savez(tmp_path / "features.npz", **arrays)
        distances = ranks.read_distances(run, [query])[query]
        assert distances[2] == pytest.approx(0, abs=1e-6)


def test_features_of_other_images_are_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    arrays = read_features(runs[1] / "features.npz")
    for name in ("run.json", "queries.csv"):
        (tmp_path / name).write_bytes((runs[1] / name).read_bytes())
    run = Run(tmp_path)
    arrays["gallery_keys"] = np.array([f"other{key}" for key in arrays["gallery_keys"]])
    np.savez(tmp_path / "features.npz", **arrays)
    with pytest.raises(InputError, match=r"features\.npz: lacks query 'query_11_1'"):
        ranks.read_distances(run, ["query_11_1"])


def test_runs_of_other_queries_cannot_be_compared() -> None:
    baseline = pd.Series([0.5, 0.25], ["a", "b"])
    pd.testing.assert_series_equal(
        ranks.gains(baseline, pd.Series([0.5, 0.5], ["b", "a"])), pd.Series([0, 0.25], ["a", "b"])
    )
    with pytest.raises(InputError, match="same queries"):
        ranks.gains(baseline, baseline.drop("a"))


def make_history(folder: Path, variant: str, seed: int, lr: float = 0.1) -> Path:
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"variant": variant, "seed": seed}))
    lines = [f"{epoch},{lr / epoch},{10 / epoch + seed}\n" for epoch in (1, 2, 3)]
    (folder / "history.csv").write_text("epoch,lr,loss\n" + "".join(lines))
    return folder / "history.csv"


def test_a_curve_is_the_mean_over_the_seeds_of_its_variant(tmp_path: Path) -> None:
    histories = [
        make_history(tmp_path / "z0", "zero", 0),
        make_history(tmp_path / "z2", "zero", 2),
        make_history(tmp_path / "a0", "another", 0, lr=0.2),
    ]
    figure = curves.curves_figure(curves.read_histories([Run(path.parent) for path in histories]))
    loss, rate = figure.axes
    assert [line.get_label() for line in loss.lines] == ["zero", "another"]
    np.testing.assert_allclose(loss.lines[0].get_xydata(), [(e, 10 / e + 1) for e in (1, 2, 3)])
    np.testing.assert_allclose(loss.lines[1].get_ydata(), [10, 5, 10 / 3])
    np.testing.assert_allclose(rate.lines[1].get_ydata(), [0.2, 0.1, 0.2 / 3])
    band = loss.collections[0].get_paths()[0].vertices
    assert {tuple(point) for point in band} >= {(1, 10), (1, 12), (2, 5), (2, 7)}
    assert rate.get_title() == "Learning rate"


def test_one_schedule_of_all_runs_is_said_to_be_one(tmp_path: Path) -> None:
    histories = [make_history(tmp_path / f"{i}", f"variant{i}", 0) for i in range(9)]
    figure = curves.curves_figure(curves.read_histories([Run(path.parent) for path in histories]))
    assert figure.axes[1].get_title() == "Learning rate, the same for all"
    looks = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines}
    assert len(looks) == 9
    for name in ("a.png", "b.png"):
        curves.draw_curves([Run(path.parent) for path in histories], tmp_path / name)
    read(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_only_variants_that_select_have_a_curve_of_k(tmp_path: Path) -> None:
    plain = make_history(tmp_path / "plain", "plain", 0)
    selecting = make_history(tmp_path / "selecting", "selecting", 0)
    assert len(curves.curves_figure(curves.read_histories([Run(plain.parent)])).axes) == 2
    pd.read_csv(plain).assign(k_q50="").to_csv(plain, index=False)
    pd.read_csv(selecting).assign(k_q50=[9, 8, 7]).to_csv(selecting, index=False)
    kept = curves.curves_figure(
        curves.read_histories([Run(plain.parent), Run(selecting.parent)])
    ).axes[2]
    (line,) = kept.lines
    assert line.get_label() == "selecting"
    np.testing.assert_allclose(line.get_xydata(), [(1, 9), (2, 8), (3, 7)])


def test_histories_that_cannot_be_drawn_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one run"):
        curves.draw_curves([], tmp_path / "a.png")
    history = make_history(tmp_path / "run", "some", 0)
    history.write_text("epoch,loss\n1,2\n")
    with pytest.raises(InputError, match=r"history\.csv.*without lr"):
        curves.draw_curves([Run(history.parent)], tmp_path / "a.png")
