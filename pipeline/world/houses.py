"""Seamless textures of house fronts."""

from __future__ import annotations

import numpy as np

from pipeline.world.canvas import BRICKS, STONES, Canvas, lay_courses, tiled, varied
from pipeline.world.noise import fractal_noise
from pipeline.world.textures import Texture, TexturePainter

_GLASS = np.array([0.05, 0.055, 0.06], np.float32)
_SKY = np.array([0.30, 0.33, 0.36], np.float32)
_FRAMES = ((0.55, 0.55, 0.53), (0.06, 0.06, 0.065), (0.18, 0.12, 0.08), (0.25, 0.26, 0.27))
_RENDERS = ((0.52, 0.48, 0.40), (0.60, 0.58, 0.54), (0.45, 0.40, 0.34), (0.36, 0.36, 0.36))
_METALS = ((0.28, 0.29, 0.30), (0.14, 0.15, 0.16), (0.42, 0.42, 0.41), (0.16, 0.20, 0.23))
_SIGNS = (
    (0.45, 0.07, 0.06),
    (0.06, 0.14, 0.36),
    (0.55, 0.42, 0.07),
    (0.55, 0.54, 0.5),
    (0.07, 0.2, 0.12),
)


def brick_house(rng: np.random.Generator) -> Texture:
    """Bricks with mortar, windows and doors."""
    canvas = _bare(rng, BRICKS, 0.04)
    lay_courses(rng, canvas, height=5, width=16, spread=rng.uniform(0.06, 0.16))
    return _house(rng, canvas)


def stone_house(rng: np.random.Generator) -> Texture:
    """Large blocks, as in an old college."""
    canvas = _bare(rng, STONES, 0.08)
    lay_courses(rng, canvas, height=int(rng.choice([16, 20, 26])), width=32, spread=0.1)
    return _house(rng, canvas)


def plastered_house(rng: np.random.Generator) -> Texture:
    """Render with rain streaks."""
    canvas = _bare(rng, _RENDERS, 0.05)
    streaks = fractal_noise(rng, 256, 2, 5)[:8].mean(0)
    canvas.image[:] *= 1 + 0.04 * np.tile(streaks, canvas.image.shape[1] // 256)[:, None]
    return _house(rng, canvas)


def panel_house(rng: np.random.Generator) -> Texture:
    """Concrete or metal panels with open joints."""
    canvas = _bare(rng, _METALS if rng.random() < 0.6 else _RENDERS, 0.025)
    high, wide = int(rng.choice([40, 64, 256])), int(rng.choice([64, 128]))
    lay_courses(rng, canvas, height=high, width=wide, spread=0.03, bond=False)
    return _house(rng, canvas)


def glass_front(rng: np.random.Generator) -> Texture:
    """A row of tall panes between posts, as in a library or a shop."""
    canvas = _bare(rng, _METALS, 0.02)
    pane = canvas.width / int(rng.choice([4, 6, 8]))
    sill = float(rng.choice([0.1, 0.1, 0.5]))
    frame = varied(rng, _FRAMES)
    for index in range(round(canvas.width / pane)):
        left = index * pane
        if rng.random() < 0.12:
            _door(rng, canvas, left + 0.05, pane - 0.1)
            continue
        _window(rng, canvas, (left, left + pane, sill, 3.6), frame, bar=0.07)
    _soil(rng, canvas)
    return canvas.texture()


HOUSES: tuple[TexturePainter, ...] = (
    brick_house,
    stone_house,
    plastered_house,
    panel_house,
    glass_front,
)
"""Painters of opaque walls, 4.1 m high."""


def _bare(
    rng: np.random.Generator, colours: tuple[tuple[float, ...], ...], mottling: float
) -> Canvas:
    """A canvas of 8.2 m by 4.1 m in one colour, with blotches."""
    blotches = tiled(fractal_noise(rng, 256, 2, 6, 0.7), 512)
    image = varied(rng, colours) * (1 + np.float32(mottling) * blotches)[..., None]
    return Canvas(image.astype(np.float32), 0.016)


def _house(rng: np.random.Generator, canvas: Canvas) -> Texture:
    """Fill bays of equal width with windows, doors, signs and pipes."""
    bays = int(rng.choice([2, 3, 3, 4]))
    bay = canvas.width / bays
    frame = varied(rng, _FRAMES)
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
    rng: np.random.Generator,
    canvas: Canvas,
    box: tuple[float, float, float, float],
    frame: np.ndarray,
    bar: float,
) -> None:
    """A frame with panes that mirror the sky above and show a dim room below."""
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


def _pane(rng: np.random.Generator, size: tuple[int, int], bright: float) -> np.ndarray:
    """(h, w, 3) glass: a mirrored skyline, perhaps a blind."""
    rows, columns = size
    if rng.random() < 0.15:
        return np.full((rows, columns, 3), rng.uniform(0.2, 0.45), np.float32)
    skyline = rng.uniform(0.1, 0.9) + np.cumsum(rng.normal(0, 0.02, columns))
    down = np.arange(rows)[:, None] / rows
    mirrored = np.clip((skyline - down) * 8, 0, 1)[..., None].astype(np.float32)
    room = _GLASS * np.float32(rng.uniform(0.6, 2.2))
    return (room + (_SKY * np.float32(bright) - room) * mirrored).astype(np.float32)


def _door(rng: np.random.Generator, canvas: Canvas, left: float, width: float) -> None:
    """A door leaf, or a dark entrance."""
    kind = rng.random()
    top = rng.uniform(2.1, 2.5)
    canvas.part(left - 0.07, left + width + 0.07, 0, top + 0.07)[:] *= np.float32(0.6)
    leaf = canvas.part(left, left + width, 0, top)
    if kind < 0.35:
        leaf[:] = np.array([0.025, 0.025, 0.027], np.float32)
        canvas.part(left, left + width, 0, 0.35)[:] *= np.float32(2.2)  # light falls in
        return
    leaf[:] = varied(rng, _FRAMES + _SIGNS)
    if kind < 0.75:
        glass = canvas.part(left + 0.12, left + width - 0.12, 0.9, top - 0.15)
        glass[:] = _pane(rng, glass.shape[:2], rng.uniform(0.2, 0.9))
    canvas.part(left + width / 2 - 0.01, left + width / 2 + 0.02, 0, top)[:] *= np.float32(0.5)


def _sign(rng: np.random.Generator, canvas: Canvas, middle: float) -> None:
    """A poster or notice-board with blocks of print."""
    width, bottom = rng.uniform(0.4, 1.3), rng.uniform(0.8, 1.2)
    top = bottom + rng.uniform(0.5, 1.3)
    left = middle - width / 2
    canvas.part(left + 0.03, left + width + 0.03, bottom - 0.05, top)[:] *= np.float32(0.6)
    canvas.part(left, left + width, bottom, top)[:] = varied(rng, _SIGNS)
    ink = varied(rng, _SIGNS)
    for line in np.arange(bottom + 0.08, top - 0.1, rng.uniform(0.1, 0.25)):
        end = left + width * rng.uniform(0.4, 0.95)
        canvas.part(left + 0.06, end, line, line + 0.05)[:] = ink


def _pipe(rng: np.random.Generator, canvas: Canvas, left: float) -> None:
    """A drainpipe and its shadow."""
    pipe = canvas.part(left, left + 0.1, 0, canvas.height)
    pipe[:] = varied(rng, _METALS)
    pipe[:, :2] *= np.float32(1.3)
    pipe[:, -2:] *= np.float32(0.5)
    canvas.part(left + 0.1, left + 0.15, 0, canvas.height)[:] *= np.float32(0.7)


def _soil(rng: np.random.Generator, canvas: Canvas) -> None:
    """Darken the foot of the wall, where rain splashes and little sky reaches."""
    splash = 1 / (1 + (canvas.up / rng.uniform(0.12, 0.35)) ** 2)
    canvas.image[:] *= (1 - 0.45 * splash).astype(np.float32)[..., None]
