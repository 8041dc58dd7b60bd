"""Contact sheets: rows of labelled images without resampling by matplotlib.

matplotlib's ImageGrid resamples each image and takes four times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageOps

from pipeline.errors import InputError
from pipeline.files import atomic_file

DPI = 150
GAP = 6
"""Pixels between cells."""
GROUP_GAP = 14
"""Pixels between groups of rows."""
MARGIN = 16
CAPTION = 20
"""Height of a caption in pixels."""
MIN_WIDTH = 960
"""Pixels that title and subtitle need."""
TITLE = 34
SUBTITLE = 26
FRAME = 4
"""Width of a frame in pixels, inside the image."""

# palette of Okabe and Ito, for colour-blind readers
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, BLACK, GREY = "#CC79A7", "#56B4E9", "#000000", "#666666"


@dataclass(frozen=True)
class Tile:
    """An image with its caption and the colour of its frame."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB."""
    caption: str = ""
    frame: str | None = None


@dataclass(frozen=True)
class SheetRow:
    """A row of a sheet; `None` is an empty cell."""

    label: str
    tiles: Sequence[Tile | None]


@dataclass(frozen=True)
class Layout:
    """Sizes in pixels: cells, labels on the left, space at the bottom."""

    height: int
    width: int
    label: int
    captions: bool = True
    group: int = 1
    """Number of rows per group; a gap separates groups."""
    bottom: int = 0

    @property
    def pitch(self) -> int:
        """Distance between the tops of two rows."""
        return self.height + GAP + (CAPTION if self.captions else 0)

    def origin(self, row: int, column: int) -> tuple[int, int]:
        """Return the top and left pixel of a cell."""
        gaps = (row // self.group) * (GROUP_GAP if self.group > 1 else 0)
        top = MARGIN + TITLE + SUBTITLE + row * self.pitch + gaps
        return top, MARGIN + self.label + column * (self.width + GAP)

    def size(self, rows: Sequence[SheetRow]) -> tuple[int, int]:
        """Return height and width of the sheet."""
        columns = max(len(row.tiles) for row in rows)
        top, left = self.origin(len(rows), columns)
        return top + self.bottom + MARGIN, max(left + MARGIN, MIN_WIDTH)


def rgb(colour: str) -> tuple[int, ...]:
    """Convert `#RRGGBB` to red, green and blue in 0..255."""
    return tuple(bytes.fromhex(colour[1:]))


def paste(canvas: Image.Image, tile: Tile, top: int, left: int, layout: Layout) -> None:
    """Paste a tile, shrunk to fit, into the centre of the cell with the corner `top`, `left`."""
    size = layout.width, layout.height
    image = ImageOps.contain(Image.fromarray(tile.image), size, Image.Resampling.LANCZOS)
    if tile.frame is not None:
        corner = image.width - 1, image.height - 1
        ImageDraw.Draw(image).rectangle((0, 0, *corner), outline=tile.frame, width=FRAME)
    left, top = left + (size[0] - image.width) // 2, top + (size[1] - image.height) // 2
    canvas.paste(image, (left, top))


def compose(rows: Sequence[SheetRow], layout: Layout) -> Image.Image:
    """Paste the images of a sheet on white, without text."""
    height, width = layout.size(rows)
    canvas = Image.new("RGB", (width, height), "white")
    for y, row in enumerate(rows):
        for x, tile in enumerate(row.tiles):
            if tile is not None:
                paste(canvas, tile, *layout.origin(y, x), layout)
    return canvas


def draw_sheet(rows: Sequence[SheetRow], title: str, subtitle: str, layout: Layout) -> Figure:
    """Draw rows below a title; a pixel of an image is a pixel of the figure."""
    if not any(row.tiles for row in rows):
        raise InputError(
            f"sheet {title!r}: expected images, found none: give a dataset with images"
        )
    canvas = compose(rows, layout)
    width, height = canvas.size
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(canvas, extent=(0, width, height, 0), interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    axes.text(MARGIN, MARGIN + 12, title, size=9, weight="bold", va="center")
    axes.text(MARGIN, MARGIN + TITLE + 4, subtitle, size=7, color=GREY, va="center")
    for y, row in enumerate(rows):
        top = layout.origin(y, 0)[0]
        axes.text(MARGIN, top + layout.height / 2, row.label, size=7, va="center", linespacing=1.5)
        for x, tile in enumerate(row.tiles):
            if tile is not None and tile.caption:
                left = layout.origin(y, x)[1] + layout.width / 2
                below = top + layout.height + CAPTION / 2
                axes.text(left, below, tile.caption, size=6, ha="center", va="center")
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG atomically; the same figure gives the same bytes."""
    FigureCanvasAgg(figure)
    with atomic_file(path) as partial:
        figure.savefig(partial, dpi=DPI, format="png", metadata={"Software": None})


def grid_rows(tiles: Sequence[Tile], columns: int) -> list[SheetRow]:
    """Split tiles into rows without labels."""
    return [SheetRow("", tiles[i : i + columns]) for i in range(0, len(tiles), columns)]


def evenly_spaced(count: int, chosen: int) -> list[int]:
    """Return `chosen` evenly spaced indices below `count`, or all of them."""
    if count <= chosen:
        return list(range(count))
    return [(2 * i + 1) * count // (2 * chosen) for i in range(chosen)]
