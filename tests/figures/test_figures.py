"""Figures of dataset, bank, views, ranked lists and curves."""

from __future__ import annotations

import json
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
from tests.plain_pictures import colour


def test_benchmark_sheet_has_each_split_in_its_row(shards: Path, tmp_path: Path) -> None:
    benchmark_sheet.draw_benchmark_sheet(shards, shards, tmp_path / "a.png")
    sheet, module = read(tmp_path / "a.png"), benchmark_sheet
    for row, identity in enumerate((1, 3, 4)):  # evenly spaced among 1, 2, 3, 4
        for column, camera in enumerate((1, 2, 3)):
            assert centre(module, sheet, row, column) == colour("train", identity, camera)
    query = module.QUERIES + module.GALLERY + 1
    assert centre(module, sheet, 3, query) == colour("query", 12, 1)
    assert edge(module, sheet, 3, query) == rgb(BLUE)
    assert centre(module, sheet, 3, query + 1) == colour("gallery", 12, 2)
    assert edge(module, sheet, 3, query + 1) == colour("gallery", 12, 2)
    assert centre(module, sheet, 4, 0) == colour("query", 13, 1)
    assert centre(module, sheet, 5, 1) == colour("gallery", 0, 3)


def test_bank_sheet_shows_objects_on_the_checkerboard_and_counts_masks(
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
    assert np.ptp(dropped) == pytest.approx(np.ptp(kept) * 2 / 3, rel=0.02)  # 2 and 3 masks


def test_half_transparent_pixel_is_blended_with_the_board() -> None:
    pixel = np.array([[[200, 0, 0, 128]]], np.uint8)
    np.testing.assert_array_equal(bank_sheet.on_checkerboard(pixel)[0, 0], [207, 107, 107])


def test_missing_or_empty_bank_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="table\\.csv"):
        bank_sheet.draw_bank_sheet(tmp_path, tmp_path / "bank.png")
    (tmp_path / "table.csv").write_text("key,verdict\n")
    with pytest.raises(InputError, match="found none"):
        bank_sheet.draw_bank_sheet(tmp_path, tmp_path / "bank.png")
    assert not (tmp_path / "bank.png").exists()


def test_second_view_is_the_clean_one_with_an_object_pasted(
    shards: Path, bank: Path, tmp_path: Path
) -> None:
    for name, seed in (("a.png", 0), ("b.png", 0), ("c.png", 1)):
        views_sheet.draw_views_sheet(shards, bank, tmp_path / name, OPTIONS, seed)
    sheet = read(tmp_path / "a.png")
    for column in range(12):
        views = (cell(views_sheet, sheet, row, column) for row in (0, 1))
        red = [((view[..., 0] > 200) & (view[..., 1:] < 40).all(-1)).any() for view in views]
        assert red == [False, True]
    a, b, c = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert a == b
    assert a != c


@pytest.fixture(scope="module")
def runs(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    folder = tmp_path_factory.mktemp("runs")
    return (
        make_scored_run(folder / "baseline", shards, "baseline", 0),
        make_scored_run(folder / "variant", shards, "dpeformer", 1),
    )


def test_gallery_images_with_the_identity_of_the_query_are_framed_green(
    shards: Path, runs: tuple[Run, Run], tmp_path: Path
) -> None:
    options = FigureOptions(count=3)
    ranks.draw_ranks(shards, *runs, tmp_path / "ranks.png", options)
    sheet = read(tmp_path / "ranks.png")
    assert [run.test_feature for run in runs] == ["coarse", "blended"]
    chosen = choose_queries(ranks.ap_gains(*(run.queries["ap"] for run in runs)), options)
    frames = set()
    for row, (query, run) in enumerate((query, run) for query in chosen for run in runs):
        identity = int(query.split("_")[1])
        assert centre(ranks, sheet, row, 0) == colour("query", identity, 1)
        for column, key in enumerate(run.queries.loc[query, "top10"], start=1):
            found, camera = (int(part) for part in key.split("_")[1:3])
            assert centre(ranks, sheet, row, column) == colour("gallery", found, camera)
            expected = GREEN if found == identity else VERMILION
            assert edge(ranks, sheet, row, column) == rgb(expected)
            frames.add(expected)
    assert frames == {GREEN, VERMILION}


def test_ranked_list_has_cameras_and_euclidean_distances(
    shards: Path, runs: tuple[Run, Run]
) -> None:
    run, arrays = runs[1], read_features(runs[1].path("features.npz"))
    position = {key: i for i, key in enumerate(arrays["gallery_keys"])}
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
            distance = np.linalg.norm(unit["query"][number] - unit["gallery"][position[key]])
            mark = "✓" if key.split("_")[1] == query.split("_")[1] else "✗"
            assert tile.caption == f"{mark} c{key.split('_')[2]} {distance:.2f}"
            distances.append(distance)
        assert distances == sorted(distances)


def test_features_of_other_images_are_refused(runs: tuple[Run, Run], tmp_path: Path) -> None:
    arrays = read_features(runs[1].path("features.npz"))
    arrays["gallery_keys"] = np.array([f"other{key}" for key in arrays["gallery_keys"]])
    np.savez(tmp_path / "features.npz", **arrays)
    run = Run(runs[1].folder, runs[1].files | {"features.npz": tmp_path / "features.npz"})
    with pytest.raises(InputError, match=r"features\.npz: expected query 'query_11_1'"):
        ranks.read_distances(run, ["query_11_1"])


def test_ap_gains_are_paired_by_query() -> None:
    baseline, variant = pd.Series([0.5, 0.25], ["a", "b"]), pd.Series([0.5, 0.5], ["b", "a"])
    assert ranks.ap_gains(baseline, variant).to_dict() == {"a": 0, "b": 0.25}
    with pytest.raises(InputError, match="same queries"):
        ranks.ap_gains(baseline, baseline.drop("a"))


def make_history(folder: Path, variant: str, seed: int, lr: float = 0.1, k: str = "") -> Run:
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"variant": variant, "seed": seed}))
    lines = [f"{epoch},{lr / epoch},{10 / epoch + seed},{k}\n" for epoch in (1, 2, 3)]
    (folder / "history.csv").write_text("epoch,lr,loss,k_q50\n" + "".join(lines))
    return Run(folder)


def test_curve_is_the_mean_over_seeds_in_a_band(tmp_path: Path) -> None:
    histories = [
        make_history(tmp_path / "z0", "zero", 0),
        make_history(tmp_path / "z2", "zero", 2),
        make_history(tmp_path / "a0", "another", 0, lr=0.2),
    ]
    loss, rate = curves.curves_figure(curves.read_histories(histories)).axes
    assert [line.get_label() for line in loss.lines] == ["zero", "another"]
    np.testing.assert_allclose(loss.lines[0].get_xydata(), [(e, 10 / e + 1) for e in (1, 2, 3)])
    np.testing.assert_allclose(loss.lines[1].get_ydata(), [10, 5, 10 / 3])
    np.testing.assert_allclose(rate.lines[1].get_ydata(), [0.2, 0.1, 0.2 / 3])
    band = loss.collections[0].get_paths()[0].vertices
    assert {tuple(point) for point in band} >= {(1, 10), (1, 12), (2, 5), (2, 7)}
    assert rate.get_title() == "Learning rate"


def test_curves_of_many_variants_look_different_and_share_a_schedule(tmp_path: Path) -> None:
    runs = [make_history(tmp_path / f"{i}", f"variant{i}", 0) for i in range(9)]
    figure = curves.curves_figure(curves.read_histories(runs))
    assert figure.axes[1].get_title() == "Learning rate of all variants"
    styles = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines}
    assert len(styles) == 9
    curves.draw_curves(runs, tmp_path / "a.png")
    read(tmp_path / "a.png")


def test_only_variants_that_select_have_a_curve_of_k(tmp_path: Path) -> None:
    runs = [make_history(tmp_path / name, name, 0, k=k) for name, k in (("a", ""), ("b", "9"))]
    assert len(curves.curves_figure(curves.read_histories(runs[:1])).axes) == 2
    (line,) = curves.curves_figure(curves.read_histories(runs)).axes[2].lines
    assert line.get_label() == "b"
    np.testing.assert_allclose(line.get_xydata(), [(1, 9), (2, 9), (3, 9)])


def test_histories_without_runs_or_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one run"):
        curves.read_histories([])
    run = make_history(tmp_path / "run", "some", 0)
    (run.folder / "history.csv").write_text("epoch,loss\n1,2\n")
    with pytest.raises(InputError, match=r"history\.csv.*without lr"):
        curves.read_histories([run])
