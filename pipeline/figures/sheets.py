"""Contact sheets: rows of labelled pictures, placed to the pixel.

matplotlib's ImageGrid resamples every picture and takes four times as long.
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
"""Pixels of the line of text below a picture."""
MIN_WIDTH = 960
"""Pixels that the lines of text at the top need, however few the pictures are."""
TITLE = 34
SUBTITLE = 26
FRAME = 4
"""Pixels of a frame, drawn inside the picture's edge."""

# Okabe and Ito's palette: told apart by colour-blind readers too.
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, BLACK, GREY = "#CC79A7", "#56B4E9", "#000000", "#666666"


@dataclass(frozen=True)
class Tile:
    """A picture of a sheet: (H, W, 3) uint8 RGB, its caption and the colour of its frame."""

    image: np.ndarray
    caption: str = ""
    frame: str | None = None


@dataclass(frozen=True)
class SheetRow:
    """A line of a sheet; `None` leaves a cell empty."""

    label: str
    tiles: Sequence[Tile | None]


@dataclass(frozen=True)
class Layout:
    """Sizes of a sheet in pixels: its cells, the labels at the left, room at the bottom."""

    height: int
    width: int
    label: int
    captions: bool = True
    group: int = 1
    """Rows that belong together: a gap follows each group."""
    bottom: int = 0

    @property
    def pitch(self) -> int:
        """Distance from the top of a row to the top of the next."""
        return self.height + GAP + (CAPTION if self.captions else 0)

    def origin(self, row: int, column: int) -> tuple[int, int]:
        """Top and left pixel of a cell."""
        gaps = (row // self.group) * (GROUP_GAP if self.group > 1 else 0)
        top = MARGIN + TITLE + SUBTITLE + row * self.pitch + gaps
        return top, MARGIN + self.label + column * (self.width + GAP)

    def size(self, rows: Sequence[SheetRow]) -> tuple[int, int]:
        """Height and width of the whole sheet."""
        columns = max(len(row.tiles) for row in rows)
        top, left = self.origin(len(rows), columns)
        return top + self.bottom + MARGIN, max(left + MARGIN, MIN_WIDTH)


def rgb(colour: str) -> tuple[int, ...]:
    """Red, green and blue of `#RRGGBB`, each 0 to 255."""
    return tuple(bytes.fromhex(colour[1:]))


def place(canvas: Image.Image, tile: Tile, top: int, left: int, layout: Layout) -> None:
    """Paste a tile into the middle of the cell whose corner is given; its frame covers its edge."""
    size = layout.width, layout.height
    picture = ImageOps.contain(Image.fromarray(tile.image), size, Image.Resampling.LANCZOS)
    if tile.frame is not None:
        corner = picture.width - 1, picture.height - 1
        ImageDraw.Draw(picture).rectangle((0, 0, *corner), outline=tile.frame, width=FRAME)
    left, top = left + (size[0] - picture.width) // 2, top + (size[1] - picture.height) // 2
    canvas.paste(picture, (left, top))


def compose(rows: Sequence[SheetRow], layout: Layout) -> Image.Image:
    """The pictures of a sheet on white, without text."""
    height, width = layout.size(rows)
    canvas = Image.new("RGB", (width, height), "white")
    for y, row in enumerate(rows):
        for x, tile in enumerate(row.tiles):
            if tile is not None:
                place(canvas, tile, *layout.origin(y, x), layout)
    return canvas


def draw_sheet(rows: Sequence[SheetRow], title: str, subtitle: str, layout: Layout) -> Figure:
    """A figure of the rows under a title, one pixel of the sheet a pixel of the figure."""
    if not any(row.tiles for row in rows):
        raise InputError(f"sheet {title!r}: expected pictures, found none: nothing can be drawn")
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
    """Write a PNG whose bytes depend on the figure alone."""
    FigureCanvasAgg(figure)
    with atomic_file(path) as partial:
        figure.savefig(partial, dpi=DPI, format="png", metadata={"Software": None})


def evenly(count: int, chosen: int) -> list[int]:
    """`chosen` indices spread evenly over `count` things, or all of them: the same every time."""
    if count <= chosen:
        return list(range(count))
    return [(2 * i + 1) * count // (2 * chosen) for i in range(chosen)]
