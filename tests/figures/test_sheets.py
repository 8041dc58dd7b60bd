"""Sheets place images to the pixel, and have the same bytes again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import InputError
from pipeline.figures.sheets import (
    FRAME,
    GREEN,
    Layout,
    SheetRow,
    Tile,
    draw_sheet,
    evenly_spaced,
    paste,
    rgb,
    save_figure,
)

LAYOUT = Layout(height=40, width=20, label=60, group=2)


def noise(seed: int, height: int = 40, width: int = 20) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def draw(path: Path) -> list[SheetRow]:
    rows = [
        SheetRow(f"row {y}", [Tile(noise(10 * y + x), f"{x}") for x in range(8)]) for y in range(3)
    ]
    rows[1] = SheetRow("row 1", [None, *rows[1].tiles[1:]])
    save_figure(draw_sheet(rows, "A title", "a subtitle", LAYOUT), path)
    return rows


def test_images_are_in_their_cells_unchanged(tmp_path: Path) -> None:
    rows = draw(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as image:
        sheet = np.array(image.convert("RGB"))
    for y, row in enumerate(rows):
        for x, tile in enumerate(row.tiles):
            top, left = LAYOUT.origin(y, x)
            found = sheet[top : top + 40, left : left + 20]
            expected = np.full_like(found, 255) if tile is None else tile.image
            np.testing.assert_array_equal(found, expected)


def test_groups_of_rows_are_separated() -> None:
    tops = [LAYOUT.origin(row, 0)[0] for row in range(4)]
    assert tops[1] - tops[0] == tops[3] - tops[2] == LAYOUT.pitch
    assert tops[2] - tops[1] > LAYOUT.pitch


def test_the_same_sheet_has_the_same_bytes(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    draw(tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def pasted(tile: Tile) -> np.ndarray:
    """Paste into a canvas of one cell, (40, 20, 3) uint8."""
    canvas = Image.new("RGB", (20, 40), "white")
    paste(canvas, tile, 0, 0, LAYOUT)
    return np.array(canvas)


def test_a_frame_covers_the_edge_and_nothing_else() -> None:
    canvas = pasted(Tile(noise(0), frame=GREEN))
    inside = np.zeros((40, 20), bool)
    inside[FRAME:-FRAME, FRAME:-FRAME] = True
    np.testing.assert_array_equal(canvas[inside], noise(0)[inside])
    assert (canvas[~inside] == rgb(GREEN)).all()


@pytest.mark.parametrize(("height", "width"), [(80, 80), (10, 10), (40, 400), (400, 12)])
def test_image_of_another_aspect_is_centred_and_not_distorted(height: int, width: int) -> None:
    canvas = pasted(Tile(np.zeros((height, width, 3), np.uint8)))
    y, x = np.nonzero(canvas.sum(2) == 0)
    scale = min(40 / height, 20 / width)
    assert np.ptp(y) + 1 == round(height * scale)
    assert np.ptp(x) + 1 == round(width * scale)
    assert abs((y.min() + y.max()) - 39) <= 1
    assert abs((x.min() + x.max()) - 19) <= 1


def test_sheet_without_images_is_refused() -> None:
    with pytest.raises(InputError, match="expected images, found none"):
        draw_sheet([SheetRow("empty", [])], "A title", "", LAYOUT)


@pytest.mark.parametrize("count", [1, 5, 12, 13, 100, 1501])
def test_evenly_spaced_indices_cover_everything(count: int) -> None:
    chosen = evenly_spaced(count, 12)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(count, 12)
    assert 0 <= chosen[0] <= chosen[-1] < count
    gaps = np.diff(chosen)
    assert np.ptp(gaps) <= 1 if len(gaps) else True
    assert chosen[0] + chosen[-1] in range(count - 2, count + 2)
