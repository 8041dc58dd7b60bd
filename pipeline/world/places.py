"""A camera's place: ground, walls, light, walks, and the things that stand in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pipeline.world import Rng, daylight, grounds, marks
from pipeline.world.borders import draw_border, one_of
from pipeline.world.flats import Flat
from pipeline.world.ground_plan import GroundPlan, Mark
from pipeline.world.layouts import SIGHT, Layout, Standpoint, Walk
from pipeline.world.light import Light
from pipeline.world.noise import fractal_noise
from pipeline.world.scenery import Scenery
from pipeline.world.shade import Shade
from pipeline.world.surfaces import Mesh
from pipeline.world.textures import Texture, TexturePainter
from pipeline.world.walls import HOUSES, SCREENS


@dataclass(frozen=True)
class Place:
    """Surroundings of a camera: backdrop, light, and walks of people."""

    eye: np.ndarray
    """(3,) float32."""
    light: Light
    scenery: Scenery
    walks: Sequence[Walk]
    props: Sequence[Mesh]
    """Objects in the background; none hides a person on a walk."""
    luminance: float
    """Mean light from where people walk, for `draw_sensor`."""

    def draw_standpoint(self, rng: Rng) -> Standpoint:
        """Sample a standpoint on one of the walks; the first walk is the busiest."""
        first = len(self.walks) == 1 or rng.random() < 0.7
        return self.walks[0 if first else int(rng.integers(1, len(self.walks)))].draw(rng)

    def light_at(self, rng: Rng) -> Light:
        """Sample the light at a moment: clouds and the time of day change it."""
        cloud = rng.uniform(0.25, 0.7) if rng.random() < 0.12 else rng.uniform(0.85, 1.1)
        day = rng.uniform(0.9, 1.12)
        return replace(
            self.light,
            sun=self.light.sun * np.float32(cloud * day),
            sky=self.light.sky * np.float32(day * rng.uniform(0.95, 1.08)),
            bounce=self.light.bounce * np.float32(day),
        )


def draw_place(rng: Rng) -> Place:
    """Sample a place; the camera hangs low or on a lamp post."""
    low = rng.random() < 0.45
    height = rng.uniform(2.2, 3.2) if low else rng.uniform(3.4, 6)
    near = rng.uniform(7, 9) if low else rng.uniform(8, 11)
    far = near + rng.uniform(4, 7)
    layout = _draw_layout(rng, near, far)
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


def _draw_layout(rng: Rng, near: float, far: float) -> Layout:
    """Sample a path with people `near` to `far` metres before the camera, and its borders."""
    heading = _draw_heading(rng)
    half = rng.uniform(1.0, 2.6)
    leads_away = abs(heading) > 1.2
    origin = (rng.uniform(-1, 1) * leads_away, -(near + far) / 2)
    path = grounds.ground_texture(rng, one_of(rng, grounds.PAVED))
    layout = Layout(origin, heading, half, path)
    _add_walks(rng, layout, near, far)
    if rng.random() < 0.3:
        _add_cross_bands(rng, layout)
    for side in (1, -1):
        draw_border(rng, layout, side)
    _close_view(rng, layout, far)
    _scatter_marks(rng, layout)
    return layout


def _draw_heading(rng: Rng) -> float:
    """Sample a heading: across the view, oblique, or away from the camera."""
    kind = rng.random()
    if kind < 0.3:
        return rng.uniform(-0.15, 0.15)
    return float(rng.choice([-1, 1])) * (
        rng.uniform(0.4, 1.1) if kind < 0.65 else rng.uniform(1.35, 1.57)
    )


def _add_walks(rng: Rng, layout: Layout, near: float, far: float) -> None:
    """Add a walk along the path, and perhaps one across it."""
    c, s = abs(math.cos(layout.heading)), abs(math.sin(layout.heading))
    reach = min((far - near) / 2 / max(s, 0.01), SIGHT * near / max(c, 0.01))
    layout.walks.append(Walk(layout.at(-reach, 0), layout.at(reach, 0), 1.5 * layout.half))
    if rng.random() < 0.5:
        turn, length = rng.uniform(0.5, 1.2), 0.9 * layout.half
        along = length / math.tan(turn)
        layout.walks.append(Walk(layout.at(-along, -length), layout.at(along, length), 1.0))


def _add_cross_bands(rng: Rng, layout: Layout) -> None:
    """Add rows of other stones across the path."""
    texture, width = marks.band(rng), rng.uniform(0.15, 0.5)
    for along in np.arange(-14, 14, rng.uniform(1.6, 4)):
        x, z = layout.at(float(along), 0)
        yaw = layout.heading + math.pi / 2
        layout.marks.append(Mark(x, z, yaw, 2 * layout.half, width, texture))


def _close_view(rng: Rng, layout: Layout, far: float) -> None:
    """Add a house beyond `far` metres, perhaps with a hedge, fence or the like before it."""
    distance = far + rng.uniform(5, 16)
    yaw = rng.normal(0, 0.15)
    house = one_of(rng, HOUSES)(rng)
    layout.flats.append(Flat(0, -distance, yaw, -80, 80, house, True))
    if rng.random() < 0.5:
        screen = one_of(rng, SCREENS)(rng)
        nearer = distance - rng.uniform(0.5, 3)
        gap = rng.uniform(-6, 6)
        layout.flats.append(Flat(0, -nearer, yaw, -80, gap, screen, False))


class _MarkKind(NamedTuple):
    """A kind of mark that is scattered over the path."""

    painter: TexturePainter
    chance: float
    size: float
    """Metres."""
    stretched: bool
    """Width and length vary independently."""
    turned: bool
    """It lies at any angle to the path."""


_MARK_KINDS = (
    _MarkKind(marks.cover, 0.16, 0.65, stretched=False, turned=False),
    _MarkKind(marks.grating, 0.1, 0.45, stretched=False, turned=False),
    _MarkKind(marks.repair, 0.14, 1.6, stretched=True, turned=False),
    _MarkKind(marks.puddle, 0.14, 1.3, stretched=True, turned=True),
    _MarkKind(marks.stain, 0.28, 0.9, stretched=True, turned=True),
    _MarkKind(marks.leaves, 0.18, 1.6, stretched=True, turned=True),
)


def _scatter_marks(rng: Rng, layout: Layout) -> None:
    """Add covers, drains, puddles, stains and leaves on the path and beside it."""
    chances = [kind.chance for kind in _MARK_KINDS]
    for _ in range(int(rng.integers(4, 16))):
        kind = _MARK_KINDS[rng.choice(len(_MARK_KINDS), p=chances)]
        across = rng.uniform(-1.2, 1.6) * layout.half
        x, z = layout.at(rng.uniform(-9, 9), across)
        width = length = kind.size
        if kind.stretched:
            width, length = kind.size * rng.uniform(0.7, 1.4, 2)
        yaw = layout.heading + (rng.uniform(0, 3) if kind.turned else 0)
        layout.marks.append(Mark(x, z, yaw, width, length, kind.painter(rng)))


def _grime(rng: Rng) -> Texture:
    """Sample blotches that repeat after 12.8 m, and the wander of borders, for `GroundPlan`."""
    tone = 0.5 + rng.uniform(0.03, 0.075) * fractal_noise(rng, 256, 2, 6, 0.7)
    wander = 0.5 + 0.2 * fractal_noise(rng, 256, 2, 6, 0.8)
    return Texture(np.stack([tone, tone, tone, wander], 2), 0.05)
