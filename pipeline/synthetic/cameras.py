"""Cameras with their own background, light and standing obstacles, and the images they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from pipeline.synthetic.colour import any_colour, texture
from pipeline.synthetic.objects import draw_object
from pipeline.synthetic.people import OCCLUDER, PARTS, Identity, draw_person

HEIGHT, WIDTH = 128, 64
"""Size of an image in pixels."""

_H, _W = 2 * HEIGHT, 2 * WIDTH  # everything is drawn twice as large, then averaged
_BESIDE = ("board", "pole", "plant", "board")  # kinds that hide one side of a person
_BELOW = ("car", "bike", "box", "bin", "car", "plant")  # kinds that hide the lower body
_MAX_TRIES = 200

Occlusion = Literal["obstacle", "person", "free"] | None


@dataclass(frozen=True)
class Obstacle:
    """An object of fixed look that may stand in several cameras; `sprite` is RGBA."""

    sprite: Image.Image
    beside: bool


@dataclass(frozen=True)
class Standing:
    """An obstacle's fixed place: its corner (x, y) before the background's crop (left, top)."""

    obstacle: Obstacle
    x: int
    y: int
    left: int
    top: int


@dataclass(frozen=True)
class Camera:
    """`background` is larger than an image; `cast` is a gain of each colour channel."""

    background: Image.Image
    cast: np.ndarray
    bias: float
    blur: float
    noise: float
    standing: tuple[Standing, ...] = ()


@dataclass(frozen=True)
class Rendered:
    """`image` (128, 64, 3) uint8; `labels` (128, 64) uint8, indices in `PARTS`.

    `visible` is the share of the person's pixels that nothing hides.
    """

    image: np.ndarray
    labels: np.ndarray
    visible: float


def make_obstacles(rng: np.random.Generator, count: int) -> list[Obstacle]:
    """`count` obstacles, every third of which stands beside people instead of below."""
    obstacles = []
    for index in range(count):
        beside = index % 3 == 2
        kind, width, height = _occluder_size(rng, beside, (0.5, 0.7), (1.0, 1.4), (0.45, 0.62))
        obstacles.append(Obstacle(draw_object(kind, rng, width, height), beside))
    return obstacles


def make_camera(rng: np.random.Generator, obstacles: Sequence[Obstacle] = ()) -> Camera:
    """A camera with a random background and light, and with `obstacles` at fixed places."""
    background = _background(rng)
    return Camera(
        background=background,
        cast=rng.uniform(0.78, 1.22, 3) * rng.uniform(0.65, 1.2),
        bias=rng.uniform(-15, 15),
        blur=rng.uniform(0, 1.3),
        noise=rng.uniform(2, 9),
        standing=tuple(_place(rng, obstacle, background) for obstacle in obstacles),
    )


def make_cameras(
    rng: np.random.Generator, count: int, obstacles: int, per_camera: int
) -> list[Camera]:
    """`count` cameras which share `obstacles` obstacles, `per_camera` of them in each.

    The obstacles are dealt in turn, so that each stands in as many cameras as any other.
    """
    pool = make_obstacles(rng, obstacles)
    return [
        make_camera(rng, [pool[(c * per_camera + i) % obstacles] for i in range(per_camera)])
        for c in range(count)
    ]


def render(
    identity: Identity | None,
    camera: Camera,
    rng: np.random.Generator,
    occlusion: Occlusion = None,
    other: Identity | None = None,
    visible_range: tuple[float, float] | None = (0.3, 0.7),
) -> Rendered:
    """Take one image of `identity` with `camera`.

    `occlusion` is None, "obstacle" (one that stands in the camera), "person" (`other` at the side)
    or "free" (any object anywhere, for pretraining). Poses and occluders are drawn again until the
    visible share is in `visible_range`; None takes the first. Raises RuntimeError when no try fits.
    """
    for _ in range(_MAX_TRIES):
        canvas, labels, occluded = _stage(identity, camera, rng, occlusion, other)
        parts = np.asarray(labels.resize((WIDTH, HEIGHT), Image.Resampling.NEAREST))
        hidden = np.asarray(occluded.resize((WIDTH, HEIGHT), Image.Resampling.NEAREST)) > 0
        person = parts > 0
        visible = float((person & ~hidden).sum() / max(1, person.sum()))
        if (
            occlusion is None
            or visible_range is None
            or visible_range[0] <= visible <= visible_range[1]
        ):
            image = _photograph(canvas, camera, rng)
            return Rendered(image, np.where(hidden, np.uint8(OCCLUDER), parts), visible)
    raise RuntimeError(
        f"no {occlusion} left {visible_range} of a person visible in {_MAX_TRIES} tries"
    )


def patch_shares(labels: np.ndarray, patch: int) -> np.ndarray:
    """Share of each part in each patch: (H, W) labels -> (N, 8) float32, raster order.

    `patch` pixels must divide H and W; N = H / patch * W / patch.
    """
    rows, columns = labels.shape[0] // patch, labels.shape[1] // patch
    one_hot = np.eye(len(PARTS), dtype=np.float32)[labels]  # (H, W, 8)
    tiles = one_hot.reshape(rows, patch, columns, patch, len(PARTS))
    return tiles.mean((1, 3)).reshape(rows * columns, len(PARTS))


def _stage(
    identity: Identity | None,
    camera: Camera,
    rng: np.random.Generator,
    occlusion: Occlusion,
    other: Identity | None,
) -> tuple[Image.Image, Image.Image, Image.Image]:
    """Double-size canvas (RGB), part labels ("L") and mask of the occluder ("L", 0 or 255)."""
    labels, occluded = Image.new("L", (_W, _H)), Image.new("L", (_W, _H))
    standing = None
    if occlusion == "obstacle":
        standing = camera.standing[rng.integers(len(camera.standing))]
    canvas = _crop(camera.background, rng, standing)
    if identity is not None:
        height = _H * rng.uniform(0.8, 0.98)
        top = rng.uniform(0, _H - height * 0.97)
        centre = _W * (0.5 + rng.normal(0, 0.05))
        draw_person(canvas, identity, rng, centre, top, height, labels)
    if standing is not None:
        sprite, corner = _standing_sprite(rng, standing)
    elif occlusion == "free":
        sprite, corner = _free_sprite(rng)
    elif occlusion == "person":
        sprite, corner = _other_person(rng, other), (0, 0)
    else:
        return canvas, labels, occluded
    canvas.paste(sprite, corner, sprite)
    occluded.paste(255, corner, sprite)
    return canvas, labels, occluded


def _photograph(canvas: Image.Image, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """(128, 64, 3) uint8: the canvas at its final size, with the camera's blur, light and noise."""
    image = canvas.resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    blur = camera.blur * rng.uniform(0.5, 1.2)
    if blur > 0.3:
        image = image.filter(ImageFilter.GaussianBlur(blur))
    gain = (camera.cast * rng.uniform(0.85, 1.15)).astype(np.float32)
    noise = rng.standard_normal((HEIGHT, WIDTH, 1), np.float32) * np.float32(camera.noise)
    pixels = np.asarray(image, np.float32) * gain + np.float32(camera.bias) + noise
    return np.clip(pixels, 0, 255).astype(np.uint8)


def _background(rng: np.random.Generator) -> Image.Image:
    """A wall with things on it above a floor with lines, larger than an image."""
    height, width = 2 * _H, 4 * _W
    canvas = texture(rng, (height, width), 18)
    horizon = int(height * rng.uniform(0.25, 0.5))
    canvas.paste(texture(rng, (height - horizon, width), 12), (0, horizon))
    pen = ImageDraw.Draw(canvas)
    for _ in range(rng.integers(3, 8)):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, horizon + 20))
        box = (x, y, x + int(rng.integers(15, 80)), y + int(rng.integers(20, 120)))
        pen.rectangle(box, fill=any_colour(rng, 40, 220))
    for _ in range(rng.integers(2, 7)):
        x, slant = int(rng.integers(-width // 2, width)), int(rng.integers(-200, 200))
        line = (x, horizon, x + slant, height)
        pen.line(line, fill=any_colour(rng, 60, 230), width=int(rng.integers(1, 6)))
    return canvas


def _crop(
    background: Image.Image, rng: np.random.Generator, standing: Standing | None
) -> Image.Image:
    """The part of the background behind a person: near a standing obstacle, always the same."""
    free_x, free_y = background.width - _W, background.height - _H
    if standing is None:
        x, y = int(rng.integers(free_x)), int(rng.integers(free_y))
    else:
        x = int(np.clip(standing.left + rng.normal(0, 0.06) * _W, 0, free_x))
        y = int(np.clip(standing.top + rng.normal(0, 0.03) * _H, 0, free_y))
    return background.crop((x, y, x + _W, y + _H))


def _place(rng: np.random.Generator, obstacle: Obstacle, background: Image.Image) -> Standing:
    width, height = obstacle.sprite.size
    x = _edge_x(rng, width) if obstacle.beside else int((_W - width) * rng.random())
    left = int(rng.integers(background.width - _W))
    top = int(rng.integers(background.height - _H))
    return Standing(obstacle, x, 0 if obstacle.beside else _H - height, left, top)


def _standing_sprite(
    rng: np.random.Generator, standing: Standing
) -> tuple[Image.Image, tuple[int, int]]:
    """The obstacle at its place, moved and scaled a little, as people stop nearer or farther."""
    sprite, scale = standing.obstacle.sprite, rng.uniform(0.94, 1.06)
    x = standing.x + rng.normal(0, 0.05) * _W
    y = float(standing.y)
    if not standing.obstacle.beside:
        y += _H * (0.4 * (1 - scale) + rng.normal(0, 0.03))
    size = (int(sprite.width * scale), int(sprite.height * scale))
    return sprite.resize(size, Image.Resampling.NEAREST), (int(x), int(y))


def _free_sprite(rng: np.random.Generator) -> tuple[Image.Image, tuple[int, int]]:
    """A new object at one side of the image or at its bottom."""
    beside = bool(rng.random() < 0.4)
    kind, width, height = _occluder_size(rng, beside, (0.4, 0.7), (0.8, 1.4), (0.35, 0.62))
    x = _edge_x(rng, width) if beside else int((_W - width) * rng.random())
    return draw_object(kind, rng, width, height), (x, _H - height)


def _other_person(rng: np.random.Generator, other: Identity | None) -> Image.Image:
    """RGBA of the whole image with `other` at the left or right, a little nearer."""
    if other is None:
        raise ValueError("the occlusion 'person' needs the identity `other`")
    sprite = Image.new("RGBA", (_W, _H))
    side = -1 if rng.random() < 0.5 else 1
    height = _H * rng.uniform(0.92, 1.12)
    centre = _W * (0.5 + side * rng.uniform(0.2, 0.36))
    draw_person(sprite, other, rng, centre, rng.uniform(0.02, 0.12) * _H, height)
    return sprite


def _occluder_size(
    rng: np.random.Generator,
    beside: bool,
    side_width: tuple[float, float],
    low_width: tuple[float, float],
    low_height: tuple[float, float],
) -> tuple[str, int, int]:
    """Kind, width and height of an occluder; the ranges are shares of the image's size."""
    kinds = _BESIDE if beside else _BELOW
    kind = kinds[rng.integers(len(kinds))]
    if beside:
        return kind, int(_W * rng.uniform(*side_width)), _H
    height = int(_H * rng.uniform(*low_height))
    return kind, int(_W * rng.uniform(*low_width)), height


def _edge_x(rng: np.random.Generator, width: int) -> int:
    """Left edge of a thing of `width` at the image's left or right, partly outside."""
    if rng.random() < 0.5:
        return -int(width * rng.uniform(0, 0.2))
    return _W - int(width * rng.uniform(0.8, 1))
