"""Crops of people as a detector cuts them: unoccluded, or behind an obstacle or a person."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress
from typing import Literal

import numpy as np

from pipeline.world import Rng
from pipeline.world.cameras import Camera, hides, meets
from pipeline.world.geometry import Geometry
from pipeline.world.layouts import Standpoint
from pipeline.world.looks import draw_look
from pipeline.world.objects import KINDS
from pipeline.world.person import Person
from pipeline.world.renderer import Frame, shade
from pipeline.world.sensor import develop
from pipeline.world.surfaces import PART, Surface, boxes
from pipeline.world.view import Framing, View

Occlusion = Literal["obstacle", "person"] | None

VISIBLE = (0.25, 0.75)
"""Lowest and highest visible fraction of an occluded person."""

_FREE = 0.9  # lowest visible fraction without an occlusion
_TRIES = 200
_BEHIND = (0.25, 0.7)  # metres from an obstacle to the person behind it
_TURNED = 0.15  # fraction of people who do not head along their walk
_SLACK = np.array([1, 1, 0.1], np.float32)  # pixels and metres of depth: more than rounding
_TRIAL = (64, 32)  # pixels of the crop that measures the visible fraction of a try
_CUT_OFF = 0.08  # fraction of the crops that miss the head or the feet
_BODY = (0.6, 1.75)  # metres: width and height of a crop around nobody


@dataclass(frozen=True)
class Crop:
    """An image of H x W pixels with its exact masks."""

    image: np.ndarray
    """(H, W, 3) uint8."""
    labels: np.ndarray
    """(H, W) uint8 indices in `PARTS`: of the person, or "obstacle" for anything nearer."""
    instances: np.ndarray
    """(H, W) uint8: 0 background, 1 the person, 2 onwards the others."""
    visible: float
    """Visible fraction of the person; 0 without a person."""
    obstacle: str | None = None
    """Kind of the standing obstacle that covers most pixels in front of the person."""


@dataclass(frozen=True)
class _Scene:
    """Surfaces in this order: the person and its belongings, possible occluders, the rest."""

    surfaces: list[Surface]
    view: View
    centre: np.ndarray
    nearer: list[bool]
    """Which surfaces are nearer than the person."""
    own: int
    """Number of surfaces of the person and its belongings."""
    foreground: int
    """Number of those and of the possible occluders; the rest is behind everybody."""
    standing: dict[int, str]
    """Kinds of the surfaces that are standing obstacles, by their index."""


class NoRoomError(RuntimeError):
    """No spot leaves the visible fraction of the person within its bounds."""


def render_crop(
    camera: Camera,
    rng: Rng,
    size: tuple[int, int],
    person: Person | None = None,
    occlusion: Occlusion = None,
    other: Person | None = None,
) -> Crop:
    """Render a crop of `size` (height, width) pixels of `person`, or of nobody.

    `occlusion` is None, "obstacle" (one that stands before the camera) or "person" (`other`).
    Samples spots until the visible fraction is in `VISIBLE`, or nearly 1 without an occlusion.
    Raises NoRoomError when no try succeeds.
    """
    low, high = VISIBLE if occlusion else (_FREE, 1)
    if occlusion == "obstacle" and not camera.standing:
        raise NoRoomError("no room for an obstacle")
    for _ in range(_TRIES):
        standpoint = _standpoint(camera, rng, occlusion)
        blocked = meets if occlusion == "obstacle" else hides
        if person and any(blocked(standing, standpoint) for standing in camera.standing):
            continue
        scene = _compose(camera, rng, standpoint, person, occlusion, other)
        visible = _visible(scene) if person else 0.0
        if person is None or low <= visible <= high:
            return _shoot(camera, scene, rng, size, visible)
    raise NoRoomError(
        f"no spot among {_TRIES} where {low:.0%} to {high:.0%} of a person are visible "
        f"(occlusion: {occlusion or 'none'})"
    )


def _visible(scene: _Scene) -> float:
    """Measure the visible fraction of the person."""
    own = scene.surfaces[: scene.own]
    others = _possible_occluders(scene)
    if not others:
        return 1.0
    return Geometry(scene.view, [*own, *others]).visible_fraction(0, scene.own)


def _possible_occluders(scene: _Scene) -> list[Surface]:
    """Return the surfaces whose bounding boxes are before that of the person, in the image."""
    surfaces = scene.surfaces[: scene.foreground]
    low, high = scene.view.bounds(boxes(surfaces))
    own_low, own_high = low[: scene.own].min(0), high[: scene.own].max(0)
    before = (low < own_high + _SLACK).all(1) & (high[:, :2] > own_low[:2] - _SLACK[:2]).all(1)
    return [surfaces[i] for i in range(scene.own, scene.foreground) if before[i]]


def _compose(
    camera: Camera,
    rng: Rng,
    standpoint: Standpoint,
    person: Person | None,
    occlusion: Occlusion,
    other: Person | None,
) -> _Scene:
    x, z, _ = standpoint
    surfaces = _walking(person, rng, standpoint) if person else []
    own = len(surfaces)
    framed = surfaces[0].vertices if surfaces else _upright(x, z)
    if occlusion == "person" and person is not None:
        surfaces += _in_front(other, rng, standpoint)
    view = View.around(framed, camera.place.eye, _TRIAL, _framing(rng))
    standing_boxes = boxes([s.mesh for s in camera.standing])
    standing = list(compress(camera.standing, view.shows(standing_boxes)))
    kinds = {index: s.kind for index, s in enumerate(standing, start=len(surfaces))}
    surfaces += [s.mesh for s in standing]
    foreground = len(surfaces)
    surfaces += compress(camera.place.props, view.shows(boxes(camera.place.props)))
    nearer = [i >= own and bool(s.mean_z > z) for i, s in enumerate(surfaces)]
    centre = np.array([x, 0, z], np.float32)
    return _Scene(surfaces, view, centre, nearer, own, foreground, kinds)


def _standpoint(camera: Camera, rng: Rng, occlusion: Occlusion) -> Standpoint:
    """Sample a standpoint anywhere on a walk, or behind an obstacle as the camera sees it."""
    if occlusion != "obstacle":
        return camera.place.draw_standpoint(rng)
    behind = camera.standing[rng.integers(len(camera.standing))]
    low, high = behind.mesh.vertices.min(0), behind.mesh.vertices.max(0)
    z = low[2] - rng.uniform(*_BEHIND)
    half_width = (high[0] - low[0]) / 2
    sideways = rng.uniform(-1, 1) * (half_width + 0.15)
    if KINDS[behind.kind].hides == "tall":
        sideways = rng.choice([-1, 1]) * (half_width + rng.uniform(-0.1, 0.25))
    x = (low[0] + high[0]) / 2 * z / behind.spot.z + sideways
    return Standpoint(float(x), float(z), behind.walk + float(rng.choice([0, np.pi])))


def _walking(person: Person, rng: Rng, at: Standpoint) -> list[Surface]:
    """Make the surfaces of a person, who mostly heads along the walk, and its belongings."""
    spread = 1.2 if rng.random() < _TURNED else 0.2
    yaw = at.yaw + float(rng.normal(0, spread))
    return person.surfaces(draw_look(rng, person.identity), yaw, at.x, at.z)


def _in_front(other: Person | None, rng: Rng, at: Standpoint) -> list[Surface]:
    """Make another person between the camera and a standpoint, a little to the side."""
    if other is None:
        raise ValueError("an occlusion by a person needs `other`")
    nearer = at.z + rng.uniform(0.5, 1.1)
    side = rng.choice([-1, 1]) * rng.uniform(0.05, 0.45)
    heading = at.yaw + rng.choice([0, np.pi])
    x = at.x * nearer / at.z + side
    return _walking(other, rng, Standpoint(float(x), float(nearer), float(heading)))


def _upright(x: float, z: float) -> np.ndarray:
    """Return the corners (2, 3) of the upright rectangle that a crop around nobody holds."""
    half, height = _BODY[0] / 2, _BODY[1]
    return np.array([[x - half, 0, z], [x + half, height, z]], np.float32)


def _framing(rng: Rng) -> Framing:
    """Sample the jitter of a detector: boxes are a little too large, seldom too small."""
    right, down = rng.normal(0, 0.035), rng.normal(0, 0.012)
    if rng.random() > _CUT_OFF:
        return Framing(float(rng.uniform(0.84, 0.98)), float(right), float(down))
    fill = rng.uniform(1.05, 1.25)
    return Framing(float(fill), float(right), float(rng.choice([-0.5, 0.5]) * (fill - 0.96)))


def _shoot(camera: Camera, scene: _Scene, rng: Rng, size: tuple[int, int], visible: float) -> Crop:
    geometry = Geometry(scene.view.resized(size), scene.surfaces)
    light = camera.place.light_at(rng)
    # the ground already has the shadows of the place's own things
    casters = [index < scene.foreground for index in range(len(scene.surfaces))]
    frame = shade(geometry, camera.place.scenery, light, scene.centre, casters)
    own = np.arange(len(scene.surfaces)) < scene.own
    numbers = np.where(own, 1, 2 - scene.own + np.arange(len(own)))
    return Crop(
        develop(frame.radiance, camera.sensor, rng),
        _labels(frame, scene),
        np.append(numbers, 0)[frame.items].clip(0, 255).astype(np.uint8),
        visible,
        _obstacle(frame, scene),
    )


def _obstacle(frame: Frame, scene: _Scene) -> str | None:
    """Return the kind of the obstacle with most pixels in front of the person."""
    pixels = np.bincount(frame.items.ravel() + 1, minlength=len(scene.surfaces) + 1)[1:]
    shown = {kind: pixels[i] for i, kind in scene.standing.items() if scene.nearer[i] and pixels[i]}
    return max(shown, key=lambda kind: shown[kind], default=None)


def _labels(frame: Frame, scene: _Scene) -> np.ndarray:
    nearer = np.array([*scene.nearer, False])  # the last one is the backdrop
    labels = np.where(nearer[frame.items], np.uint8(PART["obstacle"]), np.uint8(0))
    own = (frame.items >= 0) & (frame.items < scene.own)
    return np.where(own, frame.parts, labels).astype(np.uint8)
