"""Textures of walls: house fronts, and screens with gaps (hedges, railings, low walls, trunks)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.world import Rng
from pipeline.world.noise import fractal_noise
from pipeline.world.textures import Texture, TexturePainter

_COLUMNS = 512  # texels of a wall after which it repeats
_Colours = tuple[tuple[float, ...], ...]

_BRICKS = ((0.26, 0.12, 0.085), (0.33, 0.20, 0.13), (0.36, 0.29, 0.21), (0.20, 0.12, 0.10))
_STONES = ((0.40, 0.36, 0.29), (0.33, 0.31, 0.28), (0.45, 0.43, 0.40))
_GLASS = np.array([0.05, 0.055, 0.06], np.float32)
_SKY = np.array([0.30, 0.33, 0.36], np.float32)
_FRAMES = ((0.55, 0.55, 0.53), (0.06, 0.06, 0.065), (0.18, 0.12, 0.08), (0.25, 0.26, 0.27))
_RENDERS = ((0.52, 0.48, 0.40), (0.60, 0.58, 0.54), (0.45, 0.40, 0.34), (0.36, 0.36, 0.36))
_METALS = ((0.28, 0.29, 0.30), (0.14, 0.15, 0.16), (0.42, 0.42, 0.41), (0.16, 0.20, 0.23))
_SIGNS = ((0.45, 0.07, 0.06), (0.06, 0.14, 0.36), (0.55, 0.42, 0.07), (0.55, 0.54, 0.5),
          (0.07, 0.2, 0.12))  # fmt: skip


@dataclass(frozen=True)
class _Canvas:
    """An image of a wall in metres: x to the right, y up from the ground."""

    image: np.ndarray
    """(H, W, 3) or (H, W, 4) float32, top row first."""
    texel: float

    @property
    def height(self) -> float:
        """Metres."""
        return self.image.shape[0] * self.texel

    @property
    def width(self) -> float:
        """Metres, after which the wall repeats."""
        return self.image.shape[1] * self.texel

    @property
    def up(self) -> np.ndarray:
        """(H, 1) height of each row in metres above the ground."""
        return self.height - (np.arange(self.image.shape[0])[:, None] + 0.5) * self.texel

    def part(self, left: float, right: float, bottom: float, top: float) -> np.ndarray:
        """The pixels of a rectangle as a view, clipped to the image; it may be empty."""
        columns = self.image.shape[1]
        first, last = (round((self.height - y) / self.texel) for y in (top, bottom))
        start, end = (round(x / self.texel) for x in (left, right))
        return self.image[max(0, first) : max(0, last), max(0, start) : max(0, min(end, columns))]

    def texture(self) -> Texture:
        return Texture(np.clip(self.image, 0.004, 0.95), self.texel)


def _noise(rng: Rng, side: int, octaves: int, gain: float = 0.55) -> np.ndarray:
    """Draw (side, 512) fractal noise that repeats to the right."""
    return np.tile(fractal_noise(rng, side, 2, octaves, gain), (1, _COLUMNS // side))


def _lay_courses(
    rng: Rng, canvas: _Canvas, height: int, width: int, spread: float, bond: bool = True
) -> None:
    """Lay stones of `height` by `width` texels with mortar; `bond` shifts every second row."""
    rows, columns = canvas.image.shape[:2]
    y, x = np.indices((rows, columns), np.int32)
    y = rows - 1 - y
    row = y // height
    x = (x + row % 2 * (width // 2) * bond) % columns
    tones = rng.normal(0, spread, (rows // height + 1, columns // width))
    canvas.image[:] *= np.maximum(1 + tones[row, x // width], 0.3)[..., None].astype(np.float32)
    mortar = (y % height == 0) | (x % width == 0)
    pale = np.float32(rng.uniform(0.15, 0.4))
    canvas.image[mortar] = canvas.image[mortar] * np.float32(0.5) + pale * np.float32(0.5)


def _varied(rng: Rng, colours: _Colours) -> np.ndarray:
    """Draw one of the `colours` (3,) and vary its brightness and hue a little."""
    colour = np.array(colours[rng.integers(len(colours))], np.float32)
    return (colour * rng.uniform(0.8, 1.2) * rng.uniform(0.95, 1.05, 3)).astype(np.float32)


def brick_house(rng: Rng) -> Texture:
    """Paint bricks, windows and doors."""
    canvas = _bare(rng, _BRICKS, 0.04)
    _lay_courses(rng, canvas, height=5, width=16, spread=rng.uniform(0.06, 0.16))
    return _house(rng, canvas)


def stone_house(rng: Rng) -> Texture:
    """Paint large blocks, as in an old college."""
    canvas = _bare(rng, _STONES, 0.08)
    _lay_courses(rng, canvas, height=int(rng.choice([16, 20, 26])), width=32, spread=0.1)
    return _house(rng, canvas)


def plastered_house(rng: Rng) -> Texture:
    """Paint render with rain streaks."""
    canvas = _bare(rng, _RENDERS, 0.05)
    streaks = fractal_noise(rng, 256, 2, 5)[:8].mean(0)
    canvas.image[:] *= 1 + 0.04 * np.tile(streaks, canvas.image.shape[1] // 256)[:, None]
    return _house(rng, canvas)


def panel_house(rng: Rng) -> Texture:
    """Paint concrete or metal panels with open joints."""
    canvas = _bare(rng, _METALS if rng.random() < 0.6 else _RENDERS, 0.025)
    high, wide = int(rng.choice([40, 64, 256])), int(rng.choice([64, 128]))
    _lay_courses(rng, canvas, height=high, width=wide, spread=0.03, bond=False)
    return _house(rng, canvas)


def glass_front(rng: Rng) -> Texture:
    """Paint a row of tall panes between posts, as in a library or a shop."""
    canvas = _bare(rng, _METALS, 0.02)
    pane = canvas.width / int(rng.choice([4, 6, 8]))
    sill = float(rng.choice([0.1, 0.1, 0.5]))
    frame = _varied(rng, _FRAMES)
    for index in range(round(canvas.width / pane)):
        left = index * pane
        if rng.random() < 0.12:
            _door(rng, canvas, left + 0.05, pane - 0.1)
        else:
            _window(rng, canvas, (left, left + pane, sill, 3.6), frame, bar=0.07)
    _soil(rng, canvas)
    return canvas.texture()


HOUSES: tuple[TexturePainter, ...] = (
    *(brick_house, stone_house, plastered_house, panel_house, glass_front),
)
"""Painters of opaque walls, 4.1 m high."""


def _bare(rng: Rng, colours: _Colours, mottling: float) -> _Canvas:
    """Make a canvas of 8.2 m by 4.1 m in one colour, with blotches."""
    blotches = _noise(rng, 256, 6, 0.7)
    image = _varied(rng, colours) * (1 + np.float32(mottling) * blotches)[..., None]
    return _Canvas(image.astype(np.float32), 0.016)


def _house(rng: Rng, canvas: _Canvas) -> Texture:
    """Fill bays of equal width with windows, doors, signs and pipes."""
    bays = int(rng.choice([2, 3, 3, 4]))
    bay = canvas.width / bays
    frame = _varied(rng, _FRAMES)
    sill, wide = rng.uniform(0.35, 1.3), min(rng.uniform(0.9, 2.6), bay * 0.85)
    if rng.random() < 0.5:
        band = canvas.part(0, canvas.width, 0, rng.uniform(0.2, 0.7))
        band *= np.float32(rng.uniform(0.55, 0.85))
    for index in range(bays):
        middle = (index + 0.5) * bay
        kind = rng.choice(["window", "window", "window", "door", "blank", "sign", "vent"])
        if kind == "window":
            box = (middle - wide / 2, middle + wide / 2, sill, sill + rng.uniform(1.4, 1.6))
            _window(rng, canvas, box, frame, bar=0.06)
        elif kind == "door":
            _door(rng, canvas, middle - 0.6, float(rng.choice([1.0, 1.8])))
        elif kind == "sign":
            _sign(rng, canvas, middle)
        elif kind == "vent":
            canvas.part(middle - 0.3, middle + 0.3, 0.3, 0.6)[::2] *= np.float32(0.4)
        if rng.random() < 0.25:
            _pipe(rng, canvas, index * bay + 0.15)
    _soil(rng, canvas)
    return canvas.texture()


def _window(
    rng: Rng, canvas: _Canvas, box: tuple[float, float, float, float], frame: np.ndarray, bar: float
) -> None:
    """Paint a frame with panes that mirror the sky above and show a dim room below."""
    left, right, bottom, top = box
    canvas.part(left - 0.05, right + 0.05, bottom - 0.08, bottom)[:] *= np.float32(1.2)
    canvas.part(left, right, bottom - 0.16, bottom - 0.08)[:] *= np.float32(0.6)
    canvas.part(left, right, bottom, top)[:] = frame
    panes = max(1, round((right - left) / rng.uniform(0.7, 1.3)))
    width = (right - left) / panes
    bright = rng.uniform(0.1, 1.0)
    for index in range(panes):
        glass = canvas.part(
            left + index * width + bar / 2, left + (index + 1) * width - bar / 2, bottom + bar, top
        )
        if glass.size:
            glass[:] = _pane(rng, glass.shape[:2], bright * rng.uniform(0.7, 1.2))
    canvas.part(left, right, top - 0.12, top)[:] *= np.float32(0.5)  # shade of the lintel


def _pane(rng: Rng, size: tuple[int, int], bright: float) -> np.ndarray:
    """Paint (h, w, 3) of glass: a mirrored skyline, perhaps a blind."""
    rows, columns = size
    if rng.random() < 0.15:
        return np.full((rows, columns, 3), rng.uniform(0.2, 0.45), np.float32)
    skyline = rng.uniform(0.1, 0.9) + np.cumsum(rng.normal(0, 0.02, columns))
    down = np.arange(rows)[:, None] / rows
    mirrored = np.clip((skyline - down) * 8, 0, 1)[..., None].astype(np.float32)
    room = _GLASS * np.float32(rng.uniform(0.6, 2.2))
    return (room + (_SKY * np.float32(bright) - room) * mirrored).astype(np.float32)


def _door(rng: Rng, canvas: _Canvas, left: float, width: float) -> None:
    kind = rng.random()
    top = rng.uniform(2.1, 2.5)
    canvas.part(left - 0.07, left + width + 0.07, 0, top + 0.07)[:] *= np.float32(0.6)
    leaf = canvas.part(left, left + width, 0, top)
    if kind < 0.35:
        leaf[:] = np.array([0.025, 0.025, 0.027], np.float32)
        canvas.part(left, left + width, 0, 0.35)[:] *= np.float32(2.2)  # light falls in
        return
    leaf[:] = _varied(rng, _FRAMES + _SIGNS)
    if kind < 0.75:
        glass = canvas.part(left + 0.12, left + width - 0.12, 0.9, top - 0.15)
        glass[:] = _pane(rng, glass.shape[:2], rng.uniform(0.2, 0.9))
    canvas.part(left + width / 2 - 0.01, left + width / 2 + 0.02, 0, top)[:] *= np.float32(0.5)


def _sign(rng: Rng, canvas: _Canvas, middle: float) -> None:
    """Paint a notice-board with blocks of print."""
    width, bottom = rng.uniform(0.4, 1.3), rng.uniform(0.8, 1.2)
    top = bottom + rng.uniform(0.5, 1.3)
    left = middle - width / 2
    canvas.part(left + 0.03, left + width + 0.03, bottom - 0.05, top)[:] *= np.float32(0.6)
    canvas.part(left, left + width, bottom, top)[:] = _varied(rng, _SIGNS)
    ink = _varied(rng, _SIGNS)
    for line in np.arange(bottom + 0.08, top - 0.1, rng.uniform(0.1, 0.25)):
        end = left + width * rng.uniform(0.4, 0.95)
        canvas.part(left + 0.06, end, line, line + 0.05)[:] = ink


def _pipe(rng: Rng, canvas: _Canvas, left: float) -> None:
    pipe = canvas.part(left, left + 0.1, 0, canvas.height)
    pipe[:] = _varied(rng, _METALS)
    pipe[:, :2] *= np.float32(1.3)
    pipe[:, -2:] *= np.float32(0.5)
    canvas.part(left + 0.1, left + 0.15, 0, canvas.height)[:] *= np.float32(0.7)


def _soil(rng: Rng, canvas: _Canvas) -> None:
    """Darken the foot of the wall, where rain splashes and little sky reaches."""
    splash = 1 / (1 + (canvas.up / rng.uniform(0.12, 0.35)) ** 2)
    canvas.image[:] *= (1 - 0.45 * splash).astype(np.float32)[..., None]


def hedge(rng: Rng) -> Texture:
    """Paint leaves over twigs, with a ragged upper edge."""
    canvas = _empty(128, 512, 0.016)
    leaves = _noise(rng, 128, 6, 0.95)
    clumps = _noise(rng, 128, 4, 0.7)
    top = rng.uniform(0.8, 1.9) + 0.07 * clumps[0] + 0.05 * leaves[0]
    colour = np.array([0.075, 0.105, 0.04]) * rng.uniform(0.7, 1.3) * rng.uniform(0.85, 1.15, 3)
    if rng.random() < 0.25:
        colour = np.array([0.16, 0.115, 0.065]) * rng.uniform(0.7, 1.2)  # beech keeps dead leaves
    depth = 0.45 + 0.55 * np.clip(canvas.up / top, 0, 1)  # less light below
    tone = np.clip(1 + 0.35 * leaves + 0.25 * clumps, 0.12, 3) * depth
    canvas.image[..., :3] = colour * tone[..., None]
    return _cut_out(canvas, canvas.up < top + 0.06 * leaves)


def railing(rng: Rng) -> Texture:
    """Paint upright bars between two rails."""
    canvas = _empty(128, 256, 0.0125)
    colour = _varied(rng, ((0.05, 0.055, 0.05), (0.05, 0.09, 0.06), (0.3, 0.31, 0.31)))
    canvas.image[..., :3] = colour
    top, gap = rng.uniform(0.95, 1.5), int(rng.choice([8, 16]))
    column = np.arange(256)[None]
    up = canvas.up
    bars = (column % gap < 2) & (up < top)
    rails = (np.abs(up - top + 0.05) < 0.025) | (np.abs(up - 0.12) < 0.02)
    posts = (column % 128 < 5) & (up < top + 0.08)
    return _cut_out(canvas, bars | rails | posts)


def low_wall(rng: Rng) -> Texture:
    """Paint a garden wall of brick or stone with a coping."""
    canvas = _empty(128, 512, 0.016)
    solid = _Canvas(canvas.image[..., :3], canvas.texel)
    solid.image[:] = _varied(rng, _BRICKS + _STONES)
    _lay_courses(rng, solid, height=5, width=16, spread=0.12)
    top = rng.uniform(0.45, 1.1)
    solid.part(0, canvas.width, top - 0.08, top)[:] = _varied(rng, _STONES) * 1.15
    solid.part(0, canvas.width, top - 0.12, top - 0.08)[:] *= 0.5
    solid.image[:] *= 1 + 0.1 * _noise(rng, 128, 5)[..., None]
    return _cut_out(canvas, np.broadcast_to(canvas.up < top, (128, 512)))


def trunks(rng: Rng) -> Texture:
    """Paint a tree trunk every five metres."""
    side, texel = 256, 0.02
    bark = fractal_noise(rng, side, 2, 6, 0.9)
    x = (np.arange(side)[None] + 0.5) * texel
    up = (side - np.arange(side)[:, None] - 0.5) * texel
    flare = rng.uniform(0.1, 0.26) * (1 + 0.5 / (1 + (up / 0.2) ** 2)) + 0.01 * bark[:, :1]
    across = (x - 2.5 - rng.normal(0, 0.03) * up) / flare
    tone = (1 - 0.55 * np.clip(across, -1, 1) ** 2) * (1 + 0.3 * bark)
    canvas = _empty(side, side, texel)
    colour = np.array([0.13, 0.11, 0.085]) * rng.uniform(0.7, 1.5)
    canvas.image[..., :3] = colour * tone[..., None]
    return _cut_out(canvas, np.abs(across) < 1)


SCREENS: tuple[TexturePainter, ...] = (hedge, railing, low_wall, trunks)
"""Painters of walls with gaps, lower than houses."""


def _empty(rows: int, columns: int, texel: float) -> _Canvas:
    return _Canvas(np.zeros((rows, columns, 4), np.float32), texel)


def _cut_out(canvas: _Canvas, solid: np.ndarray) -> Texture:
    """Return the texture of the canvas where `solid` (H, W) bool, transparent elsewhere."""
    canvas.image[..., 3] = 1
    canvas.image[~solid] = 0
    return Texture(canvas.image, canvas.texel)
