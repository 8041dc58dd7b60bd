"""Things that stand in front of people: cars, plants, boards, bicycles, bins, other people."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from pipeline.synthetic.colour import any_colour, darker, smooth_noise, vary
from pipeline.synthetic.people import draw_identity, draw_person

KINDS = ("car", "plant", "board", "bike", "box", "person", "pole", "bin")

ASPECT: dict[str, tuple[float, float]] = {
    "car": (1.6, 2.4),
    "plant": (0.6, 1.1),
    "board": (0.7, 1.6),
    "bike": (1.3, 1.7),
    "box": (0.8, 1.4),
    "person": (0.33, 0.42),
    "pole": (0.15, 0.3),
    "bin": (0.55, 0.8),
}
"""Range of width / height of each kind."""

_GLASS = (60, 80, 100)


def draw_object(kind: str, rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """An RGBA image of (width, height) pixels filled by one object of `kind` (of `KINDS`).

    Alpha is 0 or 255. The colours are random; a light falls from above.
    """
    sprite = Image.new("RGBA", (width, height))
    _DRAW[kind](sprite, rng)
    pixels = np.array(sprite)
    light = np.linspace(12, -12, height, dtype=np.float32)[:, None]
    shade = smooth_noise(rng, (height, width), 6, 10) + light
    pixels[..., :3] = np.clip(pixels[..., :3] + shade[..., None], 0, 255).astype(np.uint8)
    return Image.fromarray(pixels)


def _car(sprite: Image.Image, rng: np.random.Generator) -> None:
    w, h = sprite.size
    pen, paint = ImageDraw.Draw(sprite), any_colour(rng)
    pen.rounded_rectangle((0, h * 0.4, w - 1, h * 0.85), radius=h * 0.12, fill=paint)
    pen.polygon(_scaled(sprite, (0.15, 0.42), (0.28, 0), (0.75, 0), (0.9, 0.42)), fill=paint)
    for window in (
        ((0.22, 0.4), (0.32, 0.08), (0.5, 0.08), (0.5, 0.4)),
        ((0.54, 0.4), (0.54, 0.08), (0.72, 0.08), (0.82, 0.4)),
    ):
        pen.polygon(_scaled(sprite, *window), fill=_GLASS)
    for x in (w * 0.22, w * 0.78):
        pen.ellipse((x - h * 0.18, h * 0.64, x + h * 0.18, h - 1), fill=(25, 25, 25))
        pen.ellipse((x - h * 0.08, h * 0.74, x + h * 0.08, h * 0.9), fill=(150, 150, 150))


def _plant(sprite: Image.Image, rng: np.random.Generator) -> None:
    w, h = sprite.size
    pen, pot = ImageDraw.Draw(sprite), any_colour(rng)
    green = np.array([rng.integers(20, 90), rng.integers(90, 180), rng.integers(20, 80)])
    pen.ellipse((w * 0.12, h * 0.15, w * 0.88, h * 0.85), fill=vary(rng, green * 0.7))
    leaves = 60
    angle, radius = rng.uniform(0, 2 * math.pi, leaves), rng.uniform(0, 0.42, leaves)
    size = rng.uniform(0.04, 0.12, leaves)
    x, y = 0.5 + radius * np.cos(angle), 0.45 + radius * np.sin(angle)
    boxes = np.stack([x - size, y - size, x + size, y + size], 1) * [w, h, w, h]
    greens = np.clip(green + rng.normal(0, 25, (leaves, 3)), 0, 255).astype(int)
    for box, leaf in zip(boxes.tolist(), greens.tolist(), strict=True):
        pen.ellipse(box, fill=tuple(leaf))
    pen.polygon(_scaled(sprite, (0.3, 0.78), (0.7, 0.78), (0.62, 1), (0.38, 1)), fill=pot)


def _board(sprite: Image.Image, rng: np.random.Generator) -> None:
    w, h = sprite.size
    pen, frame, panel = ImageDraw.Draw(sprite), any_colour(rng), any_colour(rng)
    pen.rectangle((0, 0, w - 1, h - 1), fill=frame)
    pen.rectangle((w * 0.07, h * 0.07, w * 0.93, h * 0.93), fill=panel)
    for line in range(int(rng.integers(2, 6))):
        y = h * (0.15 + 0.14 * line)
        pen.rectangle((w * 0.15, y, w * rng.uniform(0.4, 0.85), y + h * 0.06), fill=frame)


def _bike(sprite: Image.Image, rng: np.random.Generator) -> None:
    w, h = sprite.size
    pen, paint = ImageDraw.Draw(sprite), any_colour(rng)
    thick, radius = max(3, int(0.06 * min(w, h))), min(h * 0.32, w * 0.25)
    for x in (radius, w - radius - 1):
        wheel = (x - radius, h - 2 * radius - 1, x + radius, h - 1)
        pen.ellipse(wheel, outline=(30, 30, 30), width=thick)
    rear, front, pedals = (radius, h - radius), (w - radius, h - radius), (w * 0.48, h - radius)
    seat, head = (w * 0.4, h * 0.25), (w * 0.7, h * 0.15)
    for start, end in (
        (rear, seat),
        (rear, pedals),
        (seat, pedals),
        (pedals, head),
        (seat, (w * 0.68, h * 0.28)),
        (head, front),
        (head, (w * 0.8, h * 0.05)),
    ):
        pen.line((*start, *end), fill=paint, width=thick)
    saddle = (seat[0] - w * 0.08, seat[1] - h * 0.06, seat[0] + w * 0.08, seat[1])
    pen.rectangle(saddle, fill=(20, 20, 20))


def _box(sprite: Image.Image, rng: np.random.Generator) -> None:
    w, h = sprite.size
    pen, card, tape = ImageDraw.Draw(sprite), any_colour(rng), any_colour(rng)
    pen.rectangle((0, 0, w - 1, h - 1), fill=card)
    pen.rectangle((w * 0.42, 0, w * 0.58, h - 1), fill=tape)
    side = _scaled(sprite, (0, 0), (0.12, 0.12), (0.12, 1), (0, 1))
    pen.polygon(side, fill=darker(card, 0.7))


def _person(sprite: Image.Image, rng: np.random.Generator) -> None:
    w, h = sprite.size
    draw_person(sprite, draw_identity(rng, top_colours=10), rng, w / 2, h * 0.02, h * 0.97)


def _pole(sprite: Image.Image, rng: np.random.Generator) -> None:
    w, h = sprite.size
    pen, metal, sign = ImageDraw.Draw(sprite), any_colour(rng), any_colour(rng)
    pen.rectangle((w * 0.35, 0, w * 0.65, h - 1), fill=metal)
    pen.rectangle((0, h * 0.05, w - 1, h * 0.25), fill=sign)
    pen.rectangle((w * 0.2, h * 0.92, w * 0.8, h - 1), fill=metal)


def _bin(sprite: Image.Image, rng: np.random.Generator) -> None:
    w, h = sprite.size
    pen, body, lid = ImageDraw.Draw(sprite), any_colour(rng), any_colour(rng)
    pen.polygon(_scaled(sprite, (0.05, 0.12), (0.95, 0.12), (0.82, 1), (0.18, 1)), fill=body)
    pen.ellipse((0, 0, w - 1, h * 0.24), fill=lid)
    for x in (w * 0.25, w * 0.41, w * 0.57, w * 0.73):
        rib = (x, h * 0.28, x, h * 0.95)
        pen.line(rib, fill=darker(body, 0.6), width=max(1, int(w * 0.04)))


def _scaled(sprite: Image.Image, *points: tuple[float, float]) -> list[tuple[float, float]]:
    """Points given as shares of width and height, in pixels."""
    return [(x * (sprite.width - 1), y * (sprite.height - 1)) for x, y in points]


_DRAW = {
    "car": _car,
    "plant": _plant,
    "board": _board,
    "bike": _bike,
    "box": _box,
    "person": _person,
    "pole": _pole,
    "bin": _bin,
}
