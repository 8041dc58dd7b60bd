"""Weather and light of a place in winter, and shadows of trees and houses out of view."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from pipeline.world import Rng
from pipeline.world.light import Light, box_blur
from pipeline.world.noise import fractal_noise
from pipeline.world.shade import shade_grid

Weather = Literal["sunny", "shade", "hazy", "overcast"]
"""`shade`: the sun shines, but a building shades the place where people walk."""

_CHANCES: dict[Weather, float] = {"sunny": 0.32, "shade": 0.18, "hazy": 0.2, "overcast": 0.3}
_GROUND = 0.25  # albedo of the surroundings, for the light from below
_PENUMBRA = 0.25  # metres from shade to sun at a building's edge


def draw_weather(rng: Rng) -> Weather:
    return list(_CHANCES)[rng.choice(len(_CHANCES), p=list(_CHANCES.values()))]


def draw_light(rng: Rng, weather: Weather) -> Light:
    """Sample sun and sky: a low winter sun in any direction."""
    azimuth, elevation = rng.uniform(0, 2 * math.pi), rng.uniform(0.28, 0.8)
    flat = math.cos(elevation)
    direction = [flat * math.sin(azimuth), math.sin(elevation), flat * math.cos(azimuth)]
    strength, sky, blue = {
        "sunny": (rng.uniform(1.5, 2.6), rng.uniform(0.45, 0.7), 0.1),
        "shade": (rng.uniform(1.5, 2.4), rng.uniform(0.5, 0.7), 0.1),
        "hazy": (rng.uniform(0.4, 1.0), rng.uniform(0.7, 0.95), 0.04),
        "overcast": (0.0, 1.0, 0.02),
    }[weather]
    warm = 0.06 + 0.12 * (0.8 - elevation)
    sun_light = strength * np.array([1 + warm, 1.0, 1 - 1.8 * warm])
    sky_light = sky * np.array([1 - blue, 1.0, 1 + 1.3 * blue])
    below = _GROUND * (sky_light + (weather != "shade") * sun_light * direction[1])
    below = below * np.array([1.06, 1.0, 0.9])
    values = (direction, sun_light, sky_light, below)
    return Light(*(np.asarray(value, np.float32) for value in values))


def luminance(light: Light, lit: float) -> float:
    """Return the mean light from ground and people; `lit` is the fraction of the sun."""
    normals = np.array([[0, 1, 0], [0, 0, 1], [0.7, 0, 0.7], [-0.7, 0, 0.7]], np.float32)
    return _GROUND * float(light.on(normals, lit, 1.0).mean())


def sun_map(rng: Rng, light: Light, weather: Weather, near: float, far: float) -> np.ndarray:
    """Return the fraction (512, 512) float32 of the sun on the ground, for `Shade`.

    People walk from `near` to `far` metres before the camera.
    """
    x, z = shade_grid()
    sun = np.ones((z.shape[0], x.shape[1]), np.float32)
    if weather == "overcast":
        return sun
    if weather == "shade":
        sun *= _beyond(x, z, rng.uniform(-0.5, 0.5), far + rng.uniform(0.5, 7))
    elif rng.random() < 0.3:
        side = rng.choice([-1, 1]) * rng.uniform(1.2, 1.7)
        sun *= _beyond(x, z + near, side, rng.uniform(-3, 1))
    if rng.random() < 0.6:
        sun *= _trees(rng, light)
    return sun


def _beyond(x: np.ndarray, z: np.ndarray, turn: float, distance: float) -> np.ndarray:
    """Return 1 beyond a straight edge at `distance` metres, 0 before it; `turn` 0 runs along x."""
    along = -z * np.float32(math.cos(turn)) + x * np.float32(math.sin(turn))
    return np.clip((along - np.float32(distance)) / np.float32(_PENUMBRA) + 0.5, 0, 1)


def _trees(rng: Rng, light: Light) -> np.ndarray:
    """Return the fraction (512, 512) of the sun past bare trees or tufts of leaves."""
    side = shade_grid()[0].shape[1]
    if rng.random() < 0.4:
        tufts = fractal_noise(rng, side, 2, 6, 0.8) + rng.uniform(-0.2, 0.9)
        return np.clip(0.5 + 1.6 * tufts, 0.1, 1)
    image = Image.new("L", (side, side), 255)
    pen = ImageDraw.Draw(image)
    heading = math.atan2(-float(light.direction[2]), -float(light.direction[0]))
    for _ in range(int(rng.integers(2, 5))):
        foot = tuple(rng.uniform(0, side, 2))
        _branch(rng, pen, foot, heading, rng.uniform(60, 110), rng.uniform(4, 8))
    return box_blur(box_blur(np.asarray(image, np.float32) / 255, 1), 1)


def _branch(
    rng: Rng,
    pen: ImageDraw.ImageDraw,
    foot: tuple[float, ...],
    heading: float,
    length: float,
    width: float,
) -> None:
    """Draw a branch and its twigs; lengths are in texels."""
    tip = (foot[0] + length * math.cos(heading), foot[1] + length * math.sin(heading))
    pen.line([*(round(v) for v in foot), *(round(v) for v in tip)], fill=40, width=round(width))
    if width < 1.5:
        return
    for _ in range(3):
        at = rng.uniform(0.55, 1.0)
        fork = tuple(a + (b - a) * at for a, b in zip(foot, tip, strict=True))
        turn = rng.normal(0, 0.6)
        _branch(rng, pen, fork, heading + turn, length * rng.uniform(0.5, 0.75), width * 0.55)
