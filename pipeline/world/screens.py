"""Seamless textures with gaps: hedges, railings, low walls and trunks."""

from __future__ import annotations

import numpy as np

from pipeline.world.canvas import BRICKS, STONES, Canvas, lay_courses, tiled, varied
from pipeline.world.noise import fractal_noise
from pipeline.world.textures import Texture, TexturePainter


def hedge(rng: np.random.Generator) -> Texture:
    """Leaves over twigs, with a ragged upper edge."""
    canvas = _empty(128, 512, 0.016)
    leaves = tiled(fractal_noise(rng, 128, 2, 6, 0.95), 512)
    clumps = tiled(fractal_noise(rng, 128, 2, 4, 0.7), 512)
    top = rng.uniform(0.8, 1.9) + 0.07 * clumps[0] + 0.05 * leaves[0]
    colour = np.array([0.075, 0.105, 0.04]) * rng.uniform(0.7, 1.3) * rng.uniform(0.85, 1.15, 3)
    if rng.random() < 0.25:
        colour = np.array([0.16, 0.115, 0.065]) * rng.uniform(0.7, 1.2)  # beech keeps dead leaves
    depth = 0.45 + 0.55 * np.clip(canvas.up / top, 0, 1)  # less light below
    tone = np.clip(1 + 0.35 * leaves + 0.25 * clumps, 0.12, 3) * depth
    canvas.image[..., :3] = colour * tone[..., None]
    return _cut_out(canvas, canvas.up < top + 0.06 * leaves)


def railing(rng: np.random.Generator) -> Texture:
    """Upright bars between two rails."""
    canvas = _empty(128, 256, 0.0125)
    colour = varied(rng, ((0.05, 0.055, 0.05), (0.05, 0.09, 0.06), (0.3, 0.31, 0.31)))
    canvas.image[..., :3] = colour
    top, gap = rng.uniform(0.95, 1.5), int(rng.choice([8, 16]))
    column = np.arange(256)[None]
    up = canvas.up
    bars = (column % gap < 2) & (up < top)
    rails = (np.abs(up - top + 0.05) < 0.025) | (np.abs(up - 0.12) < 0.02)
    posts = (column % 128 < 5) & (up < top + 0.08)
    return _cut_out(canvas, bars | rails | posts)


def low_wall(rng: np.random.Generator) -> Texture:
    """A garden wall of brick or stone with a coping."""
    canvas = _empty(128, 512, 0.016)
    solid = Canvas(canvas.image[..., :3], canvas.texel)
    solid.image[:] = varied(rng, BRICKS + STONES)
    lay_courses(rng, solid, height=5, width=16, spread=0.12)
    top = rng.uniform(0.45, 1.1)
    solid.part(0, canvas.width, top - 0.08, top)[:] = varied(rng, STONES) * 1.15
    solid.part(0, canvas.width, top - 0.12, top - 0.08)[:] *= 0.5
    solid.image[:] *= 1 + 0.1 * tiled(fractal_noise(rng, 128, 2, 5), 512)[..., None]
    return _cut_out(canvas, np.broadcast_to(canvas.up < top, (128, 512)))


def trunks(rng: np.random.Generator) -> Texture:
    """A tree trunk every five metres."""
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
"""Painters of things with gaps, lower than houses."""


def _empty(rows: int, columns: int, texel: float) -> Canvas:
    """A transparent canvas."""
    return Canvas(np.zeros((rows, columns, 4), np.float32), texel)


def _cut_out(canvas: Canvas, solid: np.ndarray) -> Texture:
    """The texture of the canvas where `solid` (H, W) bool, transparent elsewhere."""
    canvas.image[..., 3] = 1
    canvas.image[~solid] = 0
    return Texture(canvas.image, canvas.texel)
