"""A camera's place: ground, walls, light, paths, and what stands about in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.world import daylight
from pipeline.world.layouts import Standpoint, Walk, draw_layout
from pipeline.world.light import Light
from pipeline.world.noise import fractal_noise
from pipeline.world.renderer import Ground
from pipeline.world.scenery import GroundPlan, Scenery, Shade
from pipeline.world.surfaces import Mesh
from pipeline.world.textures import Texture


@dataclass(frozen=True)
class Place:
    """What one camera sees: a `Backdrop`, its light, and where people walk."""

    eye: np.ndarray
    """(3,) float32."""
    light: Light
    scenery: Scenery
    walks: Sequence[Walk]
    props: Sequence[Mesh]
    """Things that stand about, none of them before a person."""
    luminance: float
    """Mean light from where people walk, for `draw_sensor`."""

    def meet(self, eye: np.ndarray, rays: np.ndarray, pixel: float) -> Ground:
        """What the rays (P, 3) from `eye` (3,) meet; `pixel` is a pixel's size at depth 1."""
        return self.scenery.meet(eye, rays, pixel)

    def lit(self, points: np.ndarray) -> np.ndarray:
        """(P,) float32 fraction of the sun that reaches people and props at `points` (P, 3)."""
        return self.scenery.shade.lit(points)

    def draw_standpoint(self, rng: np.random.Generator) -> Standpoint:
        """Somebody on one of the walks, the first of which is the busiest."""
        first = len(self.walks) == 1 or rng.random() < 0.7
        return self.walks[0 if first else int(rng.integers(1, len(self.walks)))].draw(rng)

    def light_at(self, rng: np.random.Generator) -> Light:
        """The light of one moment: clouds pass, the day goes on."""
        cloud = rng.uniform(0.25, 0.7) if rng.random() < 0.12 else rng.uniform(0.85, 1.1)
        day = rng.uniform(0.9, 1.12)
        return replace(
            self.light,
            sun=self.light.sun * np.float32(cloud * day),
            sky=self.light.sky * np.float32(day * rng.uniform(0.95, 1.08)),
            bounce=self.light.bounce * np.float32(day),
        )


def draw_place(rng: np.random.Generator) -> Place:
    """A new place; half of the cameras hang low, half on lamp posts."""
    low = rng.random() < 0.45
    height = rng.uniform(2.2, 3.2) if low else rng.uniform(3.4, 6)
    near = rng.uniform(7, 9) if low else rng.uniform(8, 11)
    far = near + rng.uniform(4, 7)
    layout = draw_layout(rng, near, far)
    weather = daylight.draw_weather(rng)
    light = daylight.draw_light(rng, weather)
    sun = daylight.sun_map(rng, light, weather, near, far)
    shade = Shade(sun, light.direction, layout.props, layout.flats)
    plan = GroundPlan(layout.origin, layout.heading, layout.strips(), layout.marks, _grime(rng))
    middle = np.array([[0, 0, -(near + far) / 2]], np.float32)
    return Place(
        np.array([0, height, 0], np.float32),
        light,
        Scenery(plan, layout.flats, shade, rng.uniform(0.1, 0.9)),
        layout.walks,
        layout.props,
        daylight.luminance(light, float(shade.lit(middle)[0])),
    )


def _grime(rng: np.random.Generator) -> Texture:
    """Blotches over 12.8 m and the wander of borders, for `GroundPlan`."""
    tone = 0.5 + rng.uniform(0.03, 0.075) * fractal_noise(rng, 256, 2, 6, 0.7)
    wander = 0.5 + 0.2 * fractal_noise(rng, 256, 2, 6, 0.8)
    image = np.stack([tone, tone, tone, wander], 2)
    return Texture(np.clip(image, 0, 1), 0.05)
