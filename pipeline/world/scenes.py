"""Scenes of several objects with instance masks, to train the small SAM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import compress
from pathlib import Path

import numpy as np

from pipeline.world import Rng
from pipeline.world.body import Body
from pipeline.world.geometry import Geometry
from pipeline.world.looks import draw_look
from pipeline.world.objects import KINDS
from pipeline.world.people import draw_identity
from pipeline.world.person import Person
from pipeline.world.places import Place, draw_place
from pipeline.world.renderer import shade
from pipeline.world.sensor import develop, draw_sensor
from pipeline.world.surfaces import Surface, boxes
from pipeline.world.view import Framing, View

EASY_OVERLAP, HARD_OVERLAP = 0.12, 0.45
_TRIES = 6  # spots tried for an object before it is left out
_SHARED = 8  # scenes at one place, because a place takes longer to make than a scene
_TRIAL = 64  # pixels of a side, to judge a try
_PERSON = "person"
_PROP = "prop"  # a thing of the place
_SOLID = [name for name, kind in KINDS.items() if kind.hides not in ("see_through", "thin")]
_SCENE_KINDS = (*_SOLID, *[_PERSON] * 4)  # bars are below the grid of a small SAM
_WIDTH = (1.8, 4.5)  # metres of the ground across the scene
_DEPTH = 3.0  # metres of the ground that objects stand on
_SMALLEST = 0.01  # of the scene: a smaller object is left out


@dataclass(frozen=True)
class Scene:
    """`image` (S, S, 3) uint8; `instances` (S, S) uint8, 0 background, 1..n visible objects.

    `kinds` has n names.
    """

    image: np.ndarray
    instances: np.ndarray
    kinds: tuple[str, ...]


def render_scene(body: Body, place: Place, rng: Rng, size: int = 256, hard: bool = False) -> Scene:
    """Render a square scene of `size` pixels at `place` with 1-4 objects, or 2-6 when `hard`.

    A hard scene has the place's own things too. None of the others has more than `EASY_OVERLAP` or
    `HARD_OVERLAP` of its pixels hidden by them; one that finds no such spot is left out.
    """
    sensor = draw_sensor(rng, place.luminance)
    distance = -place.draw_standpoint(rng).z
    width = float(rng.uniform(*_WIDTH))
    view = _view(place.eye, distance, width, rng)
    things, kinds = _furnish(body, view, partial(_spot, distance, width), rng, hard)
    behind = list(compress(place.props, view.shows(boxes(place.props)))) if hard else []
    geometry = Geometry(view.resized((size, size)), [*things, *behind])
    centre = np.array([0, 0, -distance], np.float32)
    casts = [index < len(things) for index in range(len(things) + len(behind))]
    frame = shade(geometry, place.scenery, place.light_at(rng), centre, casts)
    seen = np.unique(frame.items[frame.items >= 0])
    instances = np.where(frame.items >= 0, np.searchsorted(seen, frame.items) + 1, 0)
    names = [*kinds, *[_PROP] * len(behind)]
    return Scene(
        develop(frame.radiance, sensor, rng),
        instances.astype(np.uint8),
        tuple(names[item] for item in seen),
    )


def _view(eye: np.ndarray, distance: float, width: float, rng: Rng) -> View:
    """Return the view of a stretch of the ground at `distance`; lengths in metres."""
    corners = np.array([[-width / 2, 0, -distance], [width / 2, width, -distance]], np.float32)
    framing = Framing(1.0, 0.0, float(rng.uniform(-0.15, 0.05)))
    return View.around(corners, eye, (_TRIAL, _TRIAL), framing)


def _furnish(
    body: Body,
    view: View,
    draw_spot: Callable[[Rng], tuple[float, float, float]],
    rng: Rng,
    hard: bool,
) -> tuple[list[Surface], list[str]]:
    """Sample objects that do not hide each other too much."""
    things: list[Surface] = []
    kinds: list[str] = []
    for _ in range(int(rng.integers(2, 7) if hard else rng.integers(1, 5))):
        kind = str(rng.choice(_SCENE_KINDS))
        stand = _thing(body, kind, rng)
        for _ in range(_TRIES):
            thing = stand(*draw_spot(rng))
            if _fits(view, [*things, thing], HARD_OVERLAP if hard else EASY_OVERLAP):
                things.append(thing)
                kinds.append(kind)
                break
    return things, kinds


def _thing(body: Body, kind: str, rng: Rng) -> Callable[[float, float, float], Surface]:
    """Make an object of a kind; return a function that places it at a yaw, x and z."""
    if kind != _PERSON:
        return KINDS[kind].make(rng).placed
    person = Person(body, draw_identity(rng))
    return partial(person.posed, draw_look(rng, person.identity))


def _spot(distance: float, width: float, rng: Rng) -> tuple[float, float, float]:
    """Sample yaw, x and z of an object on a stretch `width` wide, about `distance` metres away."""
    x = rng.uniform(-width / 2, width / 2)
    z = -distance - rng.uniform(-0.5, 0.5) * _DEPTH
    return float(rng.uniform(0, 2 * np.pi)), float(x), float(z)


def _fits(view: View, things: list[Surface], overlap: float) -> bool:
    """Return whether the last thing is large enough in the image, and all are visible enough."""
    geometry = Geometry(view, things)
    last = len(things) - 1
    return geometry.fraction_of_crop(last) > _SMALLEST and all(
        geometry.visible_fraction(item) >= 1 - overlap for item in range(len(things))
    )


class SceneMaker:
    """Renders the scenes of a seed by their numbers; every second one is hard."""

    def __init__(self, body: Path, seed: list[int], size: int) -> None:
        self._body, self._seed, self._size = Body.load(body), seed, size
        self._place = lru_cache(1)(self._draw_place)

    def __call__(self, index: int) -> Scene:
        place = self._place(index // _SHARED)
        rng = np.random.default_rng([*self._seed, 0, index])
        return render_scene(self._body, place, rng, self._size, hard=index % 2 == 1)

    def _draw_place(self, number: int) -> Place:
        return draw_place(np.random.default_rng([*self._seed, 1, number]))
