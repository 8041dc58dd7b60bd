"""Several objects before a background, with instance masks; stage: a folder of such scenes.

SAM is trained on them and cuts occluders out of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from tqdm import tqdm

from pipeline.cli import run_stage
from pipeline.files import atomic_folder
from pipeline.options.rendered import SceneOptions
from pipeline.synthetic.colour import any_colour, texture, vary
from pipeline.synthetic.objects import ASPECT, KINDS, draw_object

SCENE_KINDS = tuple(kind for kind in KINDS if kind not in ("bike", "pole"))
"""Kinds with a solid outline; the thin bars of bicycles and poles are below a small SAM's grid."""

EASY_OVERLAP, HARD_OVERLAP = 0.12, 0.45
_TRIES = 6  # places tried for an object before it is left out
_REFERENCE = 128  # the scene size in pixels for which the lengths below are given


@dataclass(frozen=True)
class Scene:
    """`image` (S, S, 3) uint8; `instances` (S, S) uint8, 0 background, 1..n objects; `kinds` n."""

    image: np.ndarray
    instances: np.ndarray
    kinds: tuple[str, ...]


def draw_scene(rng: np.random.Generator, size: int = 256, hard: bool = False) -> Scene:
    """A square scene of `size` pixels with 1-4 objects, or 2-5 when `hard`.

    A hard scene has a structured background. No object has more than `EASY_OVERLAP` or
    `HARD_OVERLAP` of its pixels hidden; one that finds no such place is left out.
    """
    canvas = _structured_background(rng, size) if hard else _plain_background(rng, size)
    overlap = HARD_OVERLAP if hard else EASY_OVERLAP
    height_range = (0.3, 0.65) if hard else (0.33, 0.7)
    instances = np.zeros((size, size), np.uint8)
    kinds: list[str] = []
    areas = [0]  # pixels of each object inside the scene before others cover it
    for _ in range(int(rng.integers(2, 6) if hard else rng.integers(1, 5))):
        kind = SCENE_KINDS[rng.integers(len(SCENE_KINDS))]
        sprite = _sprite(kind, rng, size, height_range)
        place = _find_place(rng, sprite, instances, areas, overlap)
        if place is None:
            continue
        (x, y), mask = place
        canvas.paste(sprite, (x, y), sprite)
        kinds.append(kind)
        instances[mask] = len(kinds)
        areas.append(int(mask.sum()))
    return Scene(_photograph(canvas, rng), instances, tuple(kinds))


def draw_scenes(images: Path, options: SceneOptions) -> None:
    """Write `options.count` scenes, every second one hard, as PNG files in the folder `images`.

    They are named `scene_00000.png` onwards and have the same bytes on every run.
    """
    with atomic_folder(images) as partial:
        for index in tqdm(
            range(options.count), "drawing scenes", mininterval=5, dynamic_ncols=True
        ):
            rng = np.random.default_rng([options.seed, index])
            scene = draw_scene(rng, options.size, hard=index % 2 == 1)
            Image.fromarray(scene.image).save(partial / f"scene_{index:05d}.png", compress_level=1)
    print(f"{options.count} scenes in {images}")


def _sprite(
    kind: str, rng: np.random.Generator, size: int, height_range: tuple[float, float]
) -> Image.Image:
    """One object, at most 70 % of the scene wide, facing either way."""
    height = int(rng.uniform(*height_range) * size)
    width = max(10 * size // _REFERENCE, int(height * rng.uniform(*ASPECT[kind])))
    if width > 0.7 * size:
        height, width = int(height * 0.7 * size / width), int(0.7 * size)
    sprite = draw_object(kind, rng, width, height)
    if rng.random() < 0.5:
        return sprite.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return sprite


def _find_place(
    rng: np.random.Generator,
    sprite: Image.Image,
    instances: np.ndarray,
    areas: list[int],
    overlap: float,
) -> tuple[tuple[int, int], np.ndarray] | None:
    """Corner (x, y) and (S, S) mask of a place that hides at most `overlap` of any object."""
    size, (width, height) = len(instances), sprite.size
    opaque = np.asarray(sprite)[..., 3] > 127
    for _ in range(_TRIES):
        x = int(rng.uniform(-0.1 * width, size - 0.9 * width))
        y = int(rng.uniform(-0.1 * height, size - 0.9 * height))
        left, top = max(0, x), max(0, y)
        right, bottom = min(size, x + width), min(size, y + height)
        mask = np.zeros((size, size), bool)
        mask[top:bottom, left:right] = opaque[top - y : bottom - y, left - x : right - x]
        hidden = np.bincount(instances[mask], minlength=len(areas))[1:]
        visible = np.bincount(instances.ravel(), minlength=len(areas))[1:] - hidden
        # The new object's own share counts too, or it would cover most of a pile behind it.
        if hidden.sum() <= overlap * mask.sum() and np.all(
            visible >= (1 - overlap) * np.array(areas[1:])
        ):
            return (x, y), mask
    return None


def _photograph(canvas: Image.Image, rng: np.random.Generator) -> np.ndarray:
    """(S, S, 3) uint8: the canvas with a little blur, a random gain and noise."""
    blurred = canvas.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.8)))
    pixels = np.asarray(blurred, np.float32) * np.float32(rng.uniform(0.75, 1.2))
    noise = np.float32(rng.uniform(1, 6))
    pixels += rng.standard_normal(pixels.shape, np.float32) * noise
    return np.clip(pixels, 0, 255).astype(np.uint8)


def _surface(
    rng: np.random.Generator, size: int, height: int, noise: tuple[float, float]
) -> Image.Image:
    return texture(rng, (height, size), rng.uniform(*noise), size / _REFERENCE)


def _add_ground(canvas: Image.Image, rng: np.random.Generator) -> int:
    """Put a floor of another texture below a horizon; return the horizon's row."""
    size = canvas.width
    horizon = int(size * rng.uniform(0.3, 0.6))
    canvas.paste(_surface(rng, size, size - horizon, (5, 20)), (0, horizon))
    return horizon


def _plain_background(rng: np.random.Generator, size: int) -> Image.Image:
    canvas = _surface(rng, size, size, (8, 30))
    if rng.random() < 0.6:
        _add_ground(canvas, rng)
    return canvas


def _structured_background(rng: np.random.Generator, size: int) -> Image.Image:
    canvas = _surface(rng, size, size, (10, 35))
    return _STRUCTURES[rng.integers(len(_STRUCTURES))](canvas, rng)


def _background_colour(rng: np.random.Generator) -> tuple[int, ...]:
    return any_colour(rng, 40, 220)


def _stripes(canvas: Image.Image, rng: np.random.Generator) -> Image.Image:
    size, pen = canvas.width, ImageDraw.Draw(canvas)
    period = int(rng.integers(6, 24) * size / _REFERENCE) + 2
    colour = _background_colour(rng)
    for x in range(0, size, period):
        slant = int(rng.integers(-2, 3))
        pen.line((x, 0, x + slant, size), fill=colour, width=max(1, period // 3))
    return canvas.transpose(Image.Transpose.ROTATE_90) if rng.random() < 0.5 else canvas


def _bricks(canvas: Image.Image, rng: np.random.Generator) -> Image.Image:
    size, pen = canvas.width, ImageDraw.Draw(canvas)
    height = int(rng.integers(8, 22) * size / _REFERENCE) + 2
    width = height * int(rng.integers(1, 3))
    colour, joint = _background_colour(rng), max(1, size // _REFERENCE)
    for row, y in enumerate(range(0, size, height)):
        pen.line((0, y, size, y), fill=colour, width=joint)
        for x in range(-(width // 2) * (row % 2), size, width):
            pen.line((x, y, x, y + height), fill=colour, width=joint)
    return canvas


def _foliage(canvas: Image.Image, rng: np.random.Generator) -> Image.Image:
    size, pen = canvas.width, ImageDraw.Draw(canvas)
    base = rng.integers(40, 200, 3)
    for _ in range(150):
        x, y = rng.uniform(0, size, 2)
        radius = rng.uniform(0.01, 0.05) * size
        box = (x - radius, y - radius, x + radius, y + radius)
        pen.ellipse(box, fill=vary(rng, base, 18))
    return canvas


def _clutter(canvas: Image.Image, rng: np.random.Generator) -> Image.Image:
    size, horizon = canvas.width, _add_ground(canvas, rng)
    pen, unit = ImageDraw.Draw(canvas), size / _REFERENCE
    for _ in range(rng.integers(2, 6)):
        x, y = int(rng.integers(0, size)), int(rng.integers(0, horizon))
        width, height = int(rng.integers(3, 20) * unit), int(rng.integers(5, 30) * unit)
        pen.rectangle((x, y, x + width, y + height), fill=_background_colour(rng))
    for _ in range(rng.integers(2, 6)):
        x, slant = int(rng.integers(-size // 2, size)), int(rng.integers(-size, size))
        width = max(1, int(rng.integers(1, 4) * unit))
        line = (x, horizon, x + slant, size)
        pen.line(line, fill=_background_colour(rng), width=width)
    return canvas


def _grain(canvas: Image.Image, rng: np.random.Generator) -> Image.Image:
    cells = _REFERENCE // 2
    noise = rng.normal(0, rng.uniform(8, 25), (cells, cells)).astype(np.float32)
    grain = Image.fromarray(noise).resize(canvas.size, Image.Resampling.NEAREST)
    pixels = np.asarray(canvas, np.float32) + np.asarray(grain)[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _horizon(canvas: Image.Image, rng: np.random.Generator) -> Image.Image:
    _add_ground(canvas, rng)
    return canvas


_STRUCTURES: tuple[Callable[[Image.Image, np.random.Generator], Image.Image], ...] = (
    _stripes,
    _bricks,
    _foliage,
    _clutter,
    _grain,
    _horizon,
)


if __name__ == "__main__":
    run_stage(draw_scenes)
