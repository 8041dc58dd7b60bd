"""Seamless albedo images of grounds: paving, asphalt, concrete, gravel, grass, earth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.world import Rng
from pipeline.world.noise import fractal_noise
from pipeline.world.textures import Texture

_TEXEL = 0.0125  # metres
_SIDE = 256  # texels of a texture: it repeats after 3.2 m
_STONES = ((0.40, 0.38, 0.35), (0.33, 0.32, 0.31), (0.42, 0.37, 0.30), (0.27, 0.27, 0.28))
_BRICKS = ((0.27, 0.15, 0.11), (0.33, 0.25, 0.19), (0.25, 0.23, 0.22), (0.36, 0.30, 0.24))
_TARS = ((0.17, 0.17, 0.17), (0.22, 0.215, 0.205), (0.12, 0.12, 0.125), (0.26, 0.25, 0.235))
_LEAVES = ((0.25, 0.15, 0.06), (0.33, 0.24, 0.10), (0.16, 0.10, 0.06), (0.20, 0.17, 0.07))

Painter = Callable[[Rng, int], np.ndarray]
"""A random generator and a side in texels -> (side, side, 3) float32 albedo."""


def asphalt(rng: Rng, side: int) -> np.ndarray:
    """Paint grainy tar, patchy with age, some of it cracked."""
    age, lumps = fractal_noise(rng, side, 2, 3), fractal_noise(rng, side, 2, 7, 0.9)
    patches = 0.09 * np.clip(age * 4, -1, 1) * (rng.random() < 0.5)
    tone = 1 + 0.07 * age + patches + rng.uniform(0.05, 0.12) * lumps
    tone += _grains(rng, side, rng.uniform(0.06, 0.15))
    return _tinted(_varied(rng, _TARS), tone * _cracks(rng, side))


def red_asphalt(rng: Rng, side: int) -> np.ndarray:
    """Paint the red asphalt of a cycle track."""
    grey = asphalt(rng, side)
    return grey / grey.mean((0, 1)) * _varied(rng, ((0.22, 0.10, 0.08), (0.27, 0.15, 0.12)))


def concrete(rng: Rng, side: int) -> np.ndarray:
    """Paint bright slabs with sawn joints."""
    tone = 1 + 0.09 * fractal_noise(rng, side, 2, 5, 0.65) + _grains(rng, side, 0.03)
    image = _tinted(_varied(rng, _STONES) * rng.uniform(1.0, 1.25), tone * _cracks(rng, side))
    step = side // int(rng.choice([2, 4]))
    y, x = np.ogrid[:side, :side]
    joints = (y % step < 2) | (x % step < 2)
    return image * np.where(joints, np.float32(0.55), 1)[..., None]


def slabs(rng: Rng, side: int) -> np.ndarray:
    """Paint square or long slabs, with or without a bond."""
    height = int(rng.choice([32, 32, 64]))
    width = height * int(rng.choice([1, 1, 2]))
    bond = int(rng.choice([0, width // 2]))
    return _courses(rng, side, (height, width), bond, _varied(rng, _STONES), rng.uniform(0.03, 0.1))


def bricks(rng: Rng, side: int) -> np.ndarray:
    """Paint small pavers in a running bond."""
    size = (8, 16) if rng.random() < 0.6 else (16, 16)
    return _courses(rng, side, size, size[1] // 2, _varied(rng, _BRICKS), rng.uniform(0.07, 0.15))


def setts(rng: Rng, side: int) -> np.ndarray:
    """Paint small granite cubes of many tones."""
    tone = rng.uniform(0.12, 0.2)
    image = _courses(rng, side, (8, 8), 4, _varied(rng, _STONES) * 0.85, tone)
    return image * (1 + 0.07 * fractal_noise(rng, side, 2, 4)[..., None])


def herringbone(rng: Rng, side: int) -> np.ndarray:
    """Paint pavers of 2 by 1 cells in a herringbone bond."""
    cell = int(rng.choice([8, 16]))
    y, x = np.indices((side, side), np.int32)
    row, column = y // cell, x // cell
    turn = (column - row) % 4
    left = np.where(turn == 1, column - 1, column)
    top = np.where(turn == 3, row, np.where(turn == 2, row - 1, row))
    tones = rng.normal(0, rng.uniform(0.06, 0.13), (side // cell, side // cell))
    tone = 1 + tones[top % len(tones), left % len(tones)] + _wear(rng, side)
    joint = ((y % cell == 0) & (turn != 2)) | ((x % cell == 0) & (turn != 1))
    return _tinted(_varied(rng, _BRICKS), tone) * _joints(rng, joint)


def gravel(rng: Rng, side: int) -> np.ndarray:
    """Paint small flat stones."""
    tone = 1 + 0.08 * fractal_noise(rng, side, 2, 3) + _grains(rng, side, 0.2)
    return _tinted(_varied(rng, ((0.42, 0.36, 0.27), (0.34, 0.32, 0.29))), tone)


def grass(rng: Rng, side: int) -> np.ndarray:
    """Paint a lawn in winter, with thin and yellow spots."""
    blades = fractal_noise(rng, side, 2, 7, 0.85)
    dry = np.clip(0.5 + 0.5 * fractal_noise(rng, side, 2, 4) + rng.uniform(-0.4, 0.3), 0, 1)
    green = np.array([0.085, 0.115, 0.04]) * rng.uniform(0.8, 1.3)
    straw = np.array([0.19, 0.165, 0.085]) * rng.uniform(0.8, 1.2)
    image = green + (straw - green) * (0.7 * dry)[..., None]
    tone = 1 + 0.25 * blades + _grains(rng, side, 0.25)
    return (image * np.maximum(tone, 0.2)[..., None]).astype(np.float32)


def earth(rng: Rng, side: int) -> np.ndarray:
    """Paint the soil of a bed, with dead leaves."""
    tone = 1 + 0.25 * fractal_noise(rng, side, 2, 7, 0.8)
    return _littered(rng, _tinted(np.array([0.12, 0.09, 0.065]), tone), 500)


def kerb(rng: Rng, side: int) -> np.ndarray:
    """Paint long stones with a joint every 64 texels."""
    return _courses(rng, side, (64, 64), 0, _varied(rng, _STONES) * 1.1, 0.06)


def paint(rng: Rng, side: int) -> np.ndarray:
    """Paint road paint, partly worn down to the tar."""
    worn = np.clip(fractal_noise(rng, side, 2, 6, 0.7) - rng.uniform(0.3, 1.5), 0, 1)[..., None]
    white = np.array([0.62, 0.61, 0.57]) * rng.uniform(0.75, 1)
    return (white + (np.array([0.2, 0.2, 0.2]) - white) * worn).astype(np.float32)


PAVED: tuple[Painter, ...] = (slabs, bricks, setts, herringbone, concrete, asphalt)
"""Grounds of footpaths."""

_NARROW: dict[Painter, int] = {kerb: 16, paint: 16}  # rows of grounds for narrow bands only


def ground_texture(rng: Rng, painter: Painter) -> Texture:
    """Make the texture of a ground; paving gets leaves and spots."""
    image = painter(rng, _SIDE)
    if painter in PAVED:
        image = _littered(rng, image, int(rng.choice([0, 6, 25, 80])))
        image = _spotted(rng, image, int(rng.integers(0, 35)))
    return Texture(np.clip(image[: _NARROW.get(painter)], 0.01, 0.9), _TEXEL)


def _courses(
    rng: Rng, side: int, stone: tuple[int, int], bond: int, colour: np.ndarray, spread: float
) -> np.ndarray:
    """Lay rows of stones of (height, width) texels; `bond` shifts every second row."""
    height, width = stone
    y, x = np.indices((side, side), np.int32)
    row = y // height
    x = (x + row % 2 * bond) % side
    tones = rng.normal(0, spread, (side // height, side // width))
    tone = 1 + tones[row, x // width] + _wear(rng, side)
    thickness = 1 if height < 32 else int(rng.choice([1, 2]))
    joint = (y % height < thickness) | (x % width < thickness)
    return _tinted(colour, tone) * _joints(rng, joint)


def _joints(rng: Rng, joint: np.ndarray) -> np.ndarray:
    """Return the factor (H, W, 1) on the albedo at `joint` (H, W): dark dirt, rarely pale sand."""
    factor = 1.2 if rng.random() < 0.12 else rng.uniform(0.45, 0.8)
    return np.where(joint, np.float32(factor), np.float32(1))[..., None]


def _wear(rng: Rng, side: int) -> np.ndarray:
    """Return a change of tone (side, side): blotches and grains."""
    return rng.uniform(0.03, 0.09) * fractal_noise(rng, side, 2, 4, 0.6) + _grains(rng, side, 0.04)


def _cracks(rng: Rng, side: int) -> np.ndarray:
    """Return a factor (side, side) on the albedo: dark along cracks in parts of the ground."""
    line = np.abs(fractal_noise(rng, side, 2, 6, 0.6)) < rng.choice([0.0, 0.012, 0.02])
    broken = fractal_noise(rng, side, 2, 3) > 0.3
    return np.where(line & broken, np.float32(0.5), np.float32(1))


def _grains(rng: Rng, side: int, strength: float) -> np.ndarray:
    return np.float32(strength) * rng.standard_normal((side, side), np.float32)


def _littered(rng: Rng, image: np.ndarray, count: int) -> np.ndarray:
    """Scatter leaves over `image` in place, most of them in drifts."""
    side = len(image)
    drift = fractal_noise(rng, side, 2, 3)
    y, x = rng.integers(0, side, (2, 4 * count))
    chosen = np.argsort(-(drift[y, x] + rng.standard_normal(4 * count)), kind="stable")[:count]
    colours = np.array(_LEAVES, np.float32)[rng.integers(len(_LEAVES), size=count)]
    for down, right in np.ndindex(4, 4):
        inside = down in (1, 2) and right in (1, 2)
        grown = rng.random(count) < (1 if inside else 0.55)
        at = chosen[grown]
        image[(y[at] + down) % side, (x[at] + right) % side] = colours[grown]
    return image


def _spotted(rng: Rng, image: np.ndarray, count: int) -> np.ndarray:
    """Darken `image` in place with dots: chewing gum and drops of oil."""
    side = len(image)
    y, x = rng.integers(0, side, (2, count))
    depth = rng.uniform(0.65, 0.9, (count, 1)).astype(np.float32)
    for down, right in np.ndindex(4, 4):
        if down in (1, 2) or right in (1, 2):
            image[(y + down) % side, (x + right) % side] *= depth
    return image


def _tinted(colour: np.ndarray, tone: np.ndarray) -> np.ndarray:
    """Return (H, W, 3) float32: `colour` (3,) times `tone` (H, W)."""
    return (colour.astype(np.float32) * tone[..., None]).astype(np.float32)


def _varied(rng: Rng, colours: tuple[tuple[float, ...], ...]) -> np.ndarray:
    """Sample one of the colours and vary its brightness and hue a little."""
    colour = np.array(colours[rng.integers(len(colours))])
    return colour * rng.uniform(0.85, 1.15) * rng.uniform(0.96, 1.04, 3)
