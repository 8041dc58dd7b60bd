"""Figures of kept patches, k and FBM's attention, against the network itself."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle

from pipeline.errors import InputError
from pipeline.figures import attention, k_histogram, patches
from pipeline.figures.query_panel import QueryPanel, load_panel
from pipeline.figures.sheets import ORANGE, rgb
from pipeline.model.backbone import encode, normalise
from pipeline.model.dpsm import pool_parts, select_tokens
from pipeline.model.tokens import token_grid
from pipeline.options.figures import FigureOptions
from pipeline.options.run import ModelOptions, RunOptions
from pipeline.run import Run
from tests.figures.figure_checks import OPTIONS, cell, centre, make_trained_run, read
from tests.plain_pictures import colour

ASKED = FigureOptions(queries=["query_13_1", "query_11_1"])


@pytest.fixture(scope="module")
def run(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_trained_run(tmp_path_factory.mktemp("runs") / "dpsm", shards)


def options_with(**model: object) -> RunOptions:
    return OPTIONS.model_copy(update={"model": ModelOptions.model_validate(model)})


def tokens(panel: QueryPanel) -> tuple[torch.Tensor, torch.Tensor]:
    pixels = torch.from_numpy(panel.images).permute(0, 3, 1, 2)
    images = normalise(pixels, panel.options.mean, panel.options.std)
    with torch.inference_mode():
        return encode(panel.model.backbone, images)


def test_dropped_patches_are_dimmed_and_the_proxy_is_framed() -> None:
    picture = np.full((32, 16, 3), 200, np.uint8)
    chosen = np.zeros((4, 2), bool)
    chosen[0, 1] = chosen[2, 0] = True
    shown = patches.dim_dropped(picture, chosen, 4)
    bright = np.zeros((32, 16), bool)
    bright[:8, 8:] = bright[18:22, 2:6] = True  # inside the frame of the proxy
    framed = np.zeros((32, 16), bool)
    framed[16:24, :8] = True
    framed[18:22, 2:6] = False
    assert (shown[bright] == 200).all()
    assert (shown[framed] == rgb(ORANGE)).all()
    assert (shown[~bright & ~framed] == 50).all()


def test_overlapping_patches_are_drawn_at_their_centres() -> None:
    """Patches of 8 pixels with stride 4: the centre pixel shows whether its patch is kept."""
    grid = token_grid(64, 32, patch_size=8, stride=4)
    picture = np.full((64, 32, 3), 200, np.uint8)
    kept = np.random.default_rng(0).random(grid) < 0.5
    shown = patches.dim_dropped(picture, kept, 3 * grid[1] + 5)
    assert shown.shape == picture.shape
    for row in range(grid[0]):
        for column in range(grid[1]):
            pixel = shown[row * 4 + 4, column * 4 + 4]
            if (row, column) == (3, 5):
                assert tuple(pixel) == rgb(ORANGE)
            elif tuple(pixel) != rgb(ORANGE):  # else the frame covers it
                assert (pixel == (200 if kept[row, column] else 50)).all(), (row, column)
    assert 12 <= (shown == rgb(ORANGE)).all(-1).sum() <= 25


def test_patches_of_a_network_with_stride_and_camera_embedding_are_drawn(
    shards: Path, tmp_path: Path
) -> None:
    changes = {"patch_size": 8, "stride": 6, "camera_embedding": 1.0}
    backbone = OPTIONS.backbone.model_copy(update=changes)
    run = make_trained_run(
        tmp_path / "all", shards, OPTIONS.model_copy(update={"backbone": backbone})
    )
    patches.draw_patches(shards, run, tmp_path / "a.png", ASKED)
    assert (cell(patches, read(tmp_path / "a.png"), 0, 1) == rgb(ORANGE)).all(-1).any()


def test_dimmed_patches_are_those_that_the_network_drops(shards: Path, run: Run) -> None:
    panel = load_panel(shards, run, ASKED)
    selection = select_tokens(*tokens(panel), k_min=OPTIONS.model.k_min)
    tiles = patches.kept_patch_tiles(panel, run)
    assert len(tiles) == 4
    for i, (whole, part) in enumerate(zip(tiles[::2], tiles[1::2], strict=True)):
        assert (whole.image == panel.images[i]).all()
        assert part.caption == f"k = {int(selection.k[i])} of 32"
        for token in set(range(32)) - {int(selection.proxy[i])}:
            top, left = token // 4 * 4, token % 4 * 4
            expected = panel.images[i, top, left]
            if not selection.kept[i, token]:
                expected = (expected * patches.DIMMED).astype(np.uint8)
            assert (part.image[top : top + 4, left : left + 4] == expected).all()


def test_patches_of_the_configured_queries_are_drawn(
    shards: Path, run: Run, tmp_path: Path
) -> None:
    patches.draw_patches(shards, run, tmp_path / "a.png", ASKED)
    sheet = read(tmp_path / "a.png")
    for number, identity in enumerate((13, 11)):
        assert centre(patches, sheet, 0, 2 * number) == colour("query", identity, 1)
        shown = cell(patches, sheet, 0, 2 * number + 1)
        assert (shown != colour("query", identity, 1)).any(-1).mean() > 0.1
    assert (cell(patches, sheet, 0, 4) == 255).all()


def test_captions_have_identity_camera_and_ap(shards: Path, run: Run) -> None:
    with open(run.path("queries.csv"), newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["feature"] == "blended"]
    found = {row["query"]: float(row["ap"]) for row in rows}
    expected = [
        f"{key.split('_')[1]}, c1: AP {100 * found[key]:.1f} %"
        for key in ("query_13_1", "query_11_1")
    ]
    assert load_panel(shards, run, ASKED).captions == expected


def test_variant_without_selection_is_refused(shards: Path, tmp_path: Path) -> None:
    run = make_trained_run(tmp_path / "all", shards, options_with(selection="all"))
    with pytest.raises(InputError, match=r"selects patches, found model\.selection all"):
        patches.draw_patches(shards, run, tmp_path / "a.png", ASKED)
    with pytest.raises(InputError, match="expected query_k"):
        k_histogram.draw_k_histogram([run], tmp_path / "a.png")
    with pytest.raises(InputError, match="no such file"):
        patches.draw_patches(shards, Run(tmp_path), tmp_path / "a.png", ASKED)


@pytest.mark.parametrize(
    ("largest", "width", "last"), [(32, 1, 32.5), (33, 2, 33.5), (128, 4, 131.5)]
)
def test_bins_have_equal_width_and_hold_every_k(largest: int, width: int, last: int) -> None:
    run = k_histogram.SelectingRun("some", 1, np.array([1, 2]), np.array([largest]))
    edges = k_histogram.bin_edges([run])
    assert (np.diff(edges) == width).all()
    assert (edges[0], edges[-1]) == (-0.5, last)


def test_bars_are_percentages_of_the_queries(shards: Path, run: Run, tmp_path: Path) -> None:
    found = k_histogram.read_k(run)
    everything = FigureOptions(queries=["query_11_1", "query_12_1", "query_13_1"])
    expected = load_panel(shards, run, everything).features().selection.k
    assert found.query.tolist() == expected.tolist()
    assert len(found.gallery) == 8
    (axes,) = k_histogram.k_histogram_figure([found]).axes
    bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    for bar in bars:
        inside = [bar.get_x() < k < bar.get_x() + bar.get_width() for k in found.query]
        assert bar.get_height() == pytest.approx(100 * np.mean(inside))
    assert sum(bar.get_height() for bar in bars) == pytest.approx(100)
    k_histogram.draw_k_histogram([run, run], tmp_path / "a.png")
    read(tmp_path / "a.png")


@pytest.fixture(scope="module")
def blending_run(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Make a run with features of width 48, that is 3 slices."""
    backbone = OPTIONS.backbone.model_copy(update={"embed_dim": 48})
    options = OPTIONS.model_copy(update={"backbone": backbone})
    return make_trained_run(tmp_path_factory.mktemp("runs") / "blending", shards, options)


def test_attention_is_that_of_the_blending_module(shards: Path, blending_run: Run) -> None:
    panel = load_panel(shards, blending_run, ASKED)
    found = attention.blending_attention(panel)
    assert found.shape == (2, 4, 3, 3)
    np.testing.assert_allclose(found.sum(3), 1, rtol=1e-6)
    class_token, patch_tokens = tokens(panel)
    selection = select_tokens(class_token, patch_tokens, k_min=OPTIONS.model.k_min)
    parts = pool_parts(patch_tokens, selection, rows=8)
    each = panel.model.blending.attention(parts, class_token).detach()
    np.testing.assert_allclose(found, (each[:, :, 0] + each[:, :, 1]) / 2, atol=1e-6)
    assert np.ptp(found) > 0.01
    assert not panel.model.blending._forward_pre_hooks  # the hook is removed


def test_heat_maps_are_beside_their_query(shards: Path, blending_run: Run, tmp_path: Path) -> None:
    attention.draw_attention(shards, blending_run, tmp_path / "a.png", ASKED)
    sheet = read(tmp_path / "a.png")
    weights = attention.blending_attention(load_panel(shards, blending_run, ASKED))
    for row, identity in enumerate((13, 11)):
        assert centre(attention, sheet, row, 0) == colour("query", identity, 1)
        for part in range(4):
            expected = attention.heat_map(weights[row, part], weights.max())
            np.testing.assert_array_equal(cell(attention, sheet, row, part + 1), expected)


def test_largest_weight_is_brightest() -> None:
    weights = np.array([[0.2, 0.8], [0.5, 0.5]])
    picture = attention.heat_map(weights, 0.8)
    half = attention.CELL // 2
    for row in range(2):
        for column in range(2):
            square = picture[row * half : (row + 1) * half, column * half : (column + 1) * half]
            assert len(np.unique(square.reshape(-1, 3), axis=0)) == 1
    assert picture[0, half].sum() > picture[half, 0].sum() > picture[0, 0].sum()


def test_variant_without_fbm_is_refused(shards: Path, tmp_path: Path) -> None:
    run = make_trained_run(tmp_path / "none", shards, options_with(fusion="none"))
    with pytest.raises(InputError, match="found fusion none and selection dpsm"):
        attention.draw_attention(shards, run, tmp_path / "a.png", ASKED)
