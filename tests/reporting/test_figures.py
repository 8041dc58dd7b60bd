"""The pictures of the benchmark, bank, views, ranks, patches and curves show what they say."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from pipeline.data.shards import ShardReader
from pipeline.errors import InputError
from pipeline.evaluation.score import score
from pipeline.files import sha256
from pipeline.model.dpeformer import build_model
from pipeline.options import BackboneOptions, ImageOptions, ModelOptions, RunOptions
from pipeline.reporting import bank_sheet, benchmark_sheet, curves, patches, ranks, views_sheet
from pipeline.reporting.sheets import BLUE, FRAME, GREEN, ORANGE, VERMILION, rgb

Colour = Callable[[str, int, int], tuple[int, int, int]]
OPTIONS = RunOptions(
    image=ImageOptions(height=32, width=16),
    backbone=BackboneOptions(
        name="vit_tiny_patch16_224", patch_size=4, embed_dim=16, depth=1, num_heads=2
    ),
    model=ModelOptions(k_min=5),
)


def read(path: Path) -> np.ndarray:
    """(H, W, 3) uint8; nothing may touch the edge of a picture, as cut-off text does."""
    with Image.open(path) as image:
        pixels = np.array(image.convert("RGB"))
    edge = np.ones(pixels.shape[:2], bool)
    edge[4:-4, 4:-4] = False
    assert (pixels[edge] == 255).all()
    return pixels


def cell(module: ModuleType, sheet: np.ndarray, row: int, column: int) -> np.ndarray:
    top, left = module.LAYOUT.origin(row, column)
    return sheet[top : top + module.LAYOUT.height, left : left + module.LAYOUT.width]


def centre(module: ModuleType, sheet: np.ndarray, row: int, column: int) -> tuple[int, ...]:
    pixels = cell(module, sheet, row, column)
    return tuple(pixels[pixels.shape[0] // 2, pixels.shape[1] // 2].tolist())


def edge(module: ModuleType, sheet: np.ndarray, row: int, column: int) -> tuple[int, ...]:
    """The colour in the middle of a picture's left edge, where its frame would be."""
    pixels = cell(module, sheet, row, column)
    return tuple(pixels[pixels.shape[0] // 2, FRAME // 2].tolist())


def test_the_benchmark_sheet_has_each_split_in_its_row(
    shards: Path, tmp_path: Path, colour_of: Colour
) -> None:
    benchmark_sheet.draw_benchmark_sheet(shards, tmp_path / "a.png")
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
    benchmark_sheet.draw_benchmark_sheet(shards, tmp_path / "b.png")
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


def make_scored_run(folder: Path, shards: Path, variant: str, seed: int) -> Path:
    """A run whose features are drawn, with as many features as its variant has."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, np.ndarray] = {}
    for split in ("query", "gallery"):
        index = ShardReader(shards, split).index
        arrays[f"{split}_keys"] = index["key"].to_numpy(dtype=str)
        arrays[f"{split}_identities"] = index["identity"].to_numpy()
        arrays[f"{split}_cameras"] = index["camera"].to_numpy()
        for feature in ("global", "coarse", *(["blended"] if variant != "baseline" else [])):
            arrays[f"{split}_{feature}"] = rng.normal(size=(len(index), 4)).astype(np.float32)
    folder.mkdir()
    np.savez(folder / "features.npz", **arrays)
    record = {"dataset": "drawn", "variant": variant, "seed": seed}
    (folder / "run.json").write_text(json.dumps(record))
    files = (folder / name for name in ("features.npz", "run.json", "metrics.json", "queries.csv"))
    score(*files)
    return folder


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
    ranks.draw_ranks(shards, *runs, tmp_path / "ranks.png", queries=3)
    sheet = read(tmp_path / "ranks.png")
    read_runs = [ranks.read_run(run) for run in runs]
    assert [run.feature for run in read_runs] == ["coarse", "blended"]
    chosen = ranks.choose_queries(*(run.queries["ap"] for run in read_runs), 3)
    frames = set()
    for number, query in enumerate(chosen):
        identity = int(query.split("_")[1])
        for which, run in enumerate(read_runs):
            row = 2 * number + which
            assert centre(ranks, sheet, row, 0) == colour_of("query", identity, 1)
            for column, key in enumerate(run.queries.loc[query, "top10"].split(), start=1):
                found, camera = (int(part) for part in key.split("_")[1:])
                assert centre(ranks, sheet, row, column) == colour_of("gallery", found, camera)
                expected = GREEN if found == identity else VERMILION
                assert edge(ranks, sheet, row, column) == rgb(expected)
                frames.add(expected)
    assert frames == {GREEN, VERMILION}


def test_similarities_fall_along_a_ranked_list(runs: tuple[Path, Path]) -> None:
    run = ranks.read_run(runs[1])
    for query, row in run.queries.iterrows():
        values = run.similarity.loc[query, row["top10"].split()].to_numpy()
        assert (np.diff(values) <= 0).all()


def test_queries_are_those_with_the_largest_gain_and_the_largest_loss() -> None:
    keys = list("abcdefgh")
    baseline = pd.Series([0.5] * 7 + [np.nan], keys)
    variant = pd.Series([0.5, 0.9, 0.1, 0.6, 0.9, 0.2, 0.5, np.nan], keys)
    assert ranks.choose_queries(baseline, variant, 5) == ["b", "e", "d", "c", "f"]
    with pytest.raises(InputError, match="found 7: draw fewer"):
        ranks.choose_queries(baseline, variant, 8)
    with pytest.raises(InputError, match="same queries"):
        ranks.choose_queries(baseline, variant.drop("a"), 2)


def make_trained_run(
    folder: Path, options: RunOptions, cameras: Sequence[int] = (1, 2)
) -> tuple[Path, Path]:
    torch.manual_seed(0)
    weights, record = folder / "weights.safetensors", folder / "run.json"
    model = build_model(options, 3, pretrained=False, cameras=cameras)
    save_file(model.state_dict(), weights)
    run = {
        "options": options.model_dump(mode="json"),
        "identities": 3,
        "cameras": cameras,
        "variant": "dpsm",
        "seed": 0,
        "hashes": {"weights": sha256(weights)},
    }
    record.write_text(json.dumps(run))
    return weights, record


def test_dropped_patches_are_dark_and_the_proxy_is_framed() -> None:
    picture = np.full((32, 16, 3), 200, np.uint8)
    kept = np.zeros((4, 2), bool)
    kept[0, 1] = kept[2, 0] = True
    shown = patches.dim_dropped(picture, kept, 4)
    bright = np.zeros((32, 16), bool)
    bright[:8, 8:] = bright[18:22, 2:6] = True  # the proxy's frame takes 2 pixels
    framed = np.zeros((32, 16), bool)
    framed[16:24, :8] = True
    framed[18:22, 2:6] = False
    assert (shown[bright] == 200).all()
    assert (shown[framed] == rgb(ORANGE)).all()
    assert (shown[~bright & ~framed] == 50).all()


def test_patches_that_overlap_are_drawn_by_their_middles() -> None:
    """Patches of 8 pixels, 4 apart: the middle pixel of each is drawn as the patch's own."""
    grid = BackboneOptions(patch_size=8, stride=4).grid(ImageOptions(height=64, width=32))
    picture = np.full((64, 32, 3), 200, np.uint8)
    kept = np.random.default_rng(0).random(grid) < 0.5
    shown = patches.dim_dropped(picture, kept, 3 * grid[1] + 5)
    assert shown.shape == picture.shape
    for row in range(grid[0]):
        for column in range(grid[1]):
            pixel = shown[row * 4 + 4, column * 4 + 4]
            if (row, column) == (3, 5):
                assert tuple(pixel) == rgb(ORANGE)
            elif tuple(pixel) != rgb(ORANGE):  # else a neighbour that the frame reaches
                assert (pixel == (200 if kept[row, column] else 50)).all(), (row, column)
    assert 12 <= (shown == rgb(ORANGE)).all(-1).sum() <= 25


def test_patches_of_a_network_with_all_side_information_are_drawn(
    shards: Path, tmp_path: Path
) -> None:
    changes = {"patch_size": 8, "stride": 6, "camera_embedding": 1.0}
    backbone = OPTIONS.backbone.model_copy(update=changes)
    options = OPTIONS.model_copy(update={"backbone": backbone})
    cameras = sorted(set(ShardReader(shards, "query").index["camera"].tolist()))
    weights, record = make_trained_run(tmp_path, options, cameras)
    patches.draw_patches(shards, weights, record, tmp_path / "a.png")
    assert (cell(patches, read(tmp_path / "a.png"), 0, 1) == rgb(ORANGE)).all(-1).any()
    weights, record = make_trained_run(tmp_path, options, [99])
    with pytest.raises(InputError, match=r"backbone\.camera_embedding knows .*\(99\)"):
        patches.draw_patches(shards, weights, record, tmp_path / "b.png")


def test_patches_of_every_query_are_drawn(shards: Path, tmp_path: Path, colour_of: Colour) -> None:
    weights, record = make_trained_run(tmp_path, OPTIONS)
    patches.draw_patches(shards, weights, record, tmp_path / "a.png")
    sheet = read(tmp_path / "a.png")
    for number, identity in enumerate((11, 12, 13)):
        assert centre(patches, sheet, 0, 2 * number) == colour_of("query", identity, 1)
        shown = cell(patches, sheet, 0, 2 * number + 1)
        assert (shown != colour_of("query", identity, 1)).any(-1).mean() > 0.1
    patches.draw_patches(shards, weights, record, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_variant_that_selects_nothing_has_no_patches_to_draw(
    shards: Path, tmp_path: Path
) -> None:
    options = OPTIONS.model_copy(update={"model": ModelOptions(selection="all")})
    weights, record = make_trained_run(tmp_path, options)
    with pytest.raises(InputError, match="selection dpsm, found all"):
        patches.draw_patches(shards, weights, record, tmp_path / "a.png")
    with pytest.raises(InputError, match="no such file"):
        patches.draw_patches(shards, tmp_path / "none", record, tmp_path / "a.png")


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
    figure = curves.curves_figure(curves.read_histories(histories))
    loss, rate = figure.axes
    assert [line.get_label() for line in loss.lines] == ["zero", "another"]
    np.testing.assert_allclose(loss.lines[0].get_xydata(), [(e, 10 / e + 1) for e in (1, 2, 3)])
    np.testing.assert_allclose(loss.lines[1].get_ydata(), [10, 5, 10 / 3])
    np.testing.assert_allclose(rate.lines[1].get_ydata(), [0.2, 0.1, 0.2 / 3])
    band = loss.collections[0].get_paths()[0].vertices
    assert {tuple(point) for point in band} >= {(1, 10), (1, 12), (2, 5), (2, 7)}
    assert rate.get_title(loc="left") == "Learning rate"


def test_one_schedule_of_all_runs_is_said_to_be_one(tmp_path: Path) -> None:
    histories = [make_history(tmp_path / f"{i}", f"variant{i}", 0) for i in range(9)]
    figure = curves.curves_figure(curves.read_histories(histories))
    assert figure.axes[1].get_title(loc="left") == "Learning rate, the same for all"
    looks = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines}
    assert len(looks) == 9
    for name in ("a.png", "b.png"):
        curves.draw_curves(histories, tmp_path / name)
    read(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_histories_that_cannot_be_drawn_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one run"):
        curves.draw_curves([], tmp_path / "a.png")
    history = make_history(tmp_path / "run", "some", 0)
    history.write_text("epoch,loss\n1,2\n")
    with pytest.raises(InputError, match=r"history\.csv.*without lr"):
        curves.draw_curves([history], tmp_path / "a.png")
    (tmp_path / "run" / "run.json").unlink()
    with pytest.raises(InputError, match=r"run\.json"):
        curves.draw_curves([history], tmp_path / "a.png")
