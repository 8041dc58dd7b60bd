"""People as articulated figures: an identity drawn in a random pose, with its part labels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from pipeline.synthetic.colour import Colour
from pipeline.synthetic.identity import (
    ATTRIBUTE_PART,
    ATTRIBUTES,
    BACKPACK,
    BAG,
    BANDS,
    BOTTOM,
    CAP,
    CHECKS,
    EMBLEM,
    HAIR,
    HALVES,
    HANDBAG,
    LONG_HAIR,
    OCCLUDER,
    PARTS,
    SHOE,
    SHOULDER_BAG,
    SKIN,
    SKIRT,
    STRIPES,
    TOP,
    TROUSERS,
    Identity,
    draw_identity,
)

__all__ = [
    "ATTRIBUTES",
    "ATTRIBUTE_PART",
    "OCCLUDER",
    "PARTS",
    "Identity",
    "draw_identity",
    "draw_person",
]

FRONT, BACK, LEFT, RIGHT = range(4)  # side of the person that faces the camera


def draw_person(
    canvas: Image.Image,
    identity: Identity,
    rng: np.random.Generator,
    centre_x: float,
    top: float,
    height: float,
    labels: Image.Image | None = None,
) -> None:
    """Draw `identity` in a random pose on `canvas` (RGB or RGBA), in place.

    `centre_x`, `top` (of the head) and `height` of the body are in pixels and may lie outside.
    `labels`, an "L" image of the same size, gets the indices in `PARTS` of the very same shapes.
    """
    figure = _Figure(_Brush(canvas, labels), identity, rng, centre_x, top, height)
    figure.draw()


class _Brush:
    """Draws each shape twice: in its colour on the canvas, as its part's index on the labels."""

    def __init__(self, canvas: Image.Image, labels: Image.Image | None) -> None:
        self._canvas = ImageDraw.Draw(canvas)
        self._labels = None if labels is None else ImageDraw.Draw(labels)

    def __call__(self, shape: str, outline: Any, colour: Colour, part: int, **how: Any) -> None:
        getattr(self._canvas, shape)(outline, fill=colour, **how)
        if self._labels is not None:
            getattr(self._labels, shape)(outline, fill=part, **how)


class _Figure:
    """One person in one pose. Lengths are pixels; `unit` is an eighth of the body's height."""

    def __init__(
        self,
        brush: _Brush,
        identity: Identity,
        rng: np.random.Generator,
        centre_x: float,
        top: float,
        height: float,
    ) -> None:
        self.brush, self.rng, self.top, self.height = brush, rng, top, height
        self.wears, self.colours = identity.attributes, identity.colours
        self.pattern_period = max(2.0, identity.pattern_scale * height * 0.6)
        self.width_factor, leg_factor, head_factor = identity.build
        self.view = int(rng.integers(4))
        self.sideways = self.view in (LEFT, RIGHT)
        self.facing = -1 if self.view == LEFT else 1
        self.unit = height / 8
        self.torso = self.unit * (1.25 if self.sideways else 2.0) * self.width_factor
        self.head = self.unit * 0.95 * head_factor
        self.shin = self.unit * 1.9 * leg_factor
        self.shoulder = (
            centre_x + rng.normal(0, 0.03) * height,
            top + self.head + self.unit * 0.15,
        )
        self.hip = (centre_x, self.shoulder[1] + self.unit * 2.7)
        self.stride = rng.uniform(-1, 1)
        self.swing = (0.5 if self.sideways else 0.14) * self.stride

    def draw(self) -> None:
        """Far things first, so that near ones cover them."""
        if self.wears["bag"] == BACKPACK and self.sideways:
            self._pack(self.shoulder[0] - self.facing * self.torso * 0.75, self.unit * 0.6, 1.9)
        if self.sideways:
            self._arm(-1, 0.0)
        apart = self.unit * 0.1 if self.sideways else self.torso * 0.27
        self._leg(-1, -apart)
        self._leg(1, apart)
        if self.wears["bottom_type"] == SKIRT:
            self._skirt()
        self._torso()
        if not self.sideways:
            self._arm(-1, -self.torso * 0.52)
        hand = self._arm(1, 0.0 if self.sideways else self.torso * 0.52)
        self._bag(hand)
        self._head()

    def _leg(self, side: int, offset: float) -> None:
        angle = side * self.swing
        bend = abs(self.stride) * 0.35 * self.facing * self.rng.uniform(0.3, 1)
        hip = (self.hip[0] + offset, self.hip[1])
        knee = _along(hip, angle, self.shin)
        foot = _along(knee, angle - (bend if self.sideways else 0), self.shin)
        width = self.unit * 0.78 * self.width_factor
        clothed = self.wears["bottom_type"] == TROUSERS
        lower = ("bottom", BOTTOM) if clothed else ("skin", SKIN)
        self._limb(knee, foot, (width * 0.75, width * 0.6), *lower)
        self._limb(hip, knee, (width, width * 0.8), "bottom", BOTTOM)
        toe = foot[0] + (self.facing * self.unit * 0.3 if self.sideways else 0)
        sole = (toe - self.unit * 0.5, foot[1] - self.unit * 0.15)
        box = (*sole, sole[0] + self.unit, sole[1] + self.unit * 0.5)
        self.brush("ellipse", box, self.colours["shoe"], SHOE)

    def _arm(self, side: int, offset: float) -> tuple[float, float]:
        """Draw one arm; return where its hand is."""
        outwards = self.facing if self.sideways else -side
        angle = side * self.swing * 1.2 + self.rng.normal(0, 0.08)
        if not self.sideways:
            angle += side * 0.12
        shoulder = (self.shoulder[0] + offset, self.shoulder[1] + self.unit * 0.2)
        elbow = _along(shoulder, angle, self.unit * 1.45)
        hand = _along(elbow, angle + self.rng.uniform(0, 0.5) * outwards, self.unit * 1.45)
        width = self.unit * 0.55 * self.width_factor
        lower = ("top", TOP) if self.wears["long_sleeves"] else ("skin", SKIN)
        self._limb(elbow, hand, (width * 0.8, width * 0.65), *lower)
        self._limb(shoulder, elbow, (width, width * 0.8), "top", TOP)
        self._blob(hand, 0.22 * self.unit, 0.22 * self.unit, "skin", SKIN)
        return hand

    def _skirt(self) -> None:
        x, waist, hem = self.hip[0], self.hip[1] - self.unit * 0.3, self.hip[1] + self.shin * 0.95
        narrow, wide = self.torso * 0.48, self.torso * 0.75
        outline = [(x - narrow, waist), (x + narrow, waist), (x + wide, hem), (x - wide, hem)]
        self.brush("polygon", outline, self.colours["bottom"], BOTTOM)

    def _torso(self) -> None:
        (x, y), (hip_x, hip_y) = self.shoulder, self.hip
        half, waist = self.torso / 2, self.torso * 0.45
        outline = [(x - half, y), (x + half, y), (hip_x + waist, hip_y), (hip_x - waist, hip_y)]
        self.brush("polygon", outline, self.colours["top"], TOP)
        for box in self._pattern(x - half, x + half, y, hip_y):
            self.brush("rectangle", box, self.colours["pattern_colour"], TOP)
        if self.wears["pattern"] == EMBLEM and self.view != BACK:
            centre, radius = ((x + hip_x) / 2, y + self.unit * 0.9), self.unit * 0.5
            wide = radius * (0.6 if self.sideways else 1)
            self._blob(centre, wide, radius, "pattern_colour", TOP)

    def _pattern(self, x0: float, x1: float, y0: float, y1: float) -> list[tuple[float, ...]]:
        """The rectangles of the pattern on a torso that spans (x0, x1) and (y0, y1)."""
        pattern, period = self.wears["pattern"], self.pattern_period
        if pattern == BANDS:
            rows = np.arange(y0 + period * 0.5, y1 - period * 0.4, period)
            return [(x0 + 1, y, x1 - 1, y + period * 0.5) for y in rows]
        if pattern == STRIPES:
            columns = np.arange(x0 + period * 0.3, x1 - period * 0.4, period)
            return [(x, y0, x + period * 0.45, y1 - 1) for x in columns]
        if pattern == CHECKS:
            cell = period * 0.7
            return [
                (x, y, x + cell, y + cell)
                for row, y in enumerate(np.arange(y0, y1 - period * 0.5, cell))
                for x in np.arange(x0 + (row % 2) * cell, x1 - period * 0.5, 2 * cell)
            ]
        if pattern == HALVES:
            return [(x0, (y0 + y1) / 2, x1, y1)]
        return []

    def _bag(self, hand: tuple[float, float]) -> None:
        """What of the bag is in front of the body."""
        bag, unit, torso = self.wears["bag"], self.unit, self.torso
        (x, y), (hip_x, hip_y) = self.shoulder, self.hip
        colour = self.colours["bag_colour"]
        if bag == BACKPACK and self.view == BACK:
            self._pack(x, torso * 0.36, 2.0)
        if bag == BACKPACK and self.view == FRONT:
            for strap in (x - torso * 0.3, x + torso * 0.3):
                line = (strap, y, strap, y + unit * 1.6)
                self.brush("line", line, colour, BAG, width=max(2, int(unit * 0.22)))
        if bag == HANDBAG:
            box = (hand[0] - unit * 0.55, hand[1], hand[0] + unit * 0.55, hand[1] + unit)
            self.brush("rectangle", box, colour, BAG)
        if bag == SHOULDER_BAG:
            line = (x - torso * 0.4, y, hip_x + torso * 0.45, hip_y)
            self.brush("line", line, colour, BAG, width=max(2, int(unit * 0.25)))
            box = (hip_x + torso * 0.2, hip_y - unit * 0.5, hip_x + torso * 0.6, hip_y + unit * 0.3)
            self.brush("rectangle", box, colour, BAG)

    def _head(self) -> None:
        radius = self.head / 2
        x = self.shoulder[0] + (self.facing * self.unit * 0.1 if self.sideways else 0)
        y = self.top + radius
        long_hair = self.wears["hair_style"] == LONG_HAIR
        if long_hair:
            back = x - (self.facing * radius * 0.3 if self.sideways else 0)
            box = (back - radius * 0.95, y - radius, back + radius * 0.95, y + radius * 1.9)
            self.brush("rounded_rectangle", box, self.colours["hair"], HAIR, radius=radius * 0.6)
        neck = (x - radius * 0.3, y + radius * 0.5, x + radius * 0.3, self.shoulder[1] + 2)
        self.brush("rectangle", neck, self.colours["skin"], SKIN)
        face = ("hair", HAIR) if self.view == BACK else ("skin", SKIN)
        self._blob((x, y), radius * 0.8, radius, *face)
        crown = (x - radius * 0.88, y - radius * 1.08, x + radius * 0.88, y + radius * 0.9)
        colour = self.colours["cap" if self.wears["hair_style"] == CAP else "hair"]
        self.brush("pieslice", crown, colour, HAIR, start=180, end=360)
        if long_hair and self.view == BACK:
            box = (x - radius * 0.9, y - radius * 0.5, x + radius * 0.9, y + radius * 2)
            self.brush("rounded_rectangle", box, self.colours["hair"], HAIR, radius=radius * 0.5)

    def _pack(self, x: float, half_width: float, length: float) -> None:
        """A backpack around `x`, `length` units long."""
        y = self.shoulder[1]
        box = (x - half_width, y + self.unit * 0.1, x + half_width, y + self.unit * length)
        colour = self.colours["bag_colour"]
        self.brush("rounded_rectangle", box, colour, BAG, radius=self.unit * 0.3)

    def _blob(
        self, centre: tuple[float, float], half_w: float, half_h: float, colour: str, part: int
    ) -> None:
        (x, y) = centre
        box = (x - half_w, y - half_h, x + half_w, y + half_h)
        self.brush("ellipse", box, self.colours[colour], part)

    def _limb(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        widths: tuple[float, float],
        colour: str,
        part: int,
    ) -> None:
        """A quadrilateral from `start` to `end` with the given widths there."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        length = math.hypot(dx, dy) + 1e-6
        nx, ny = -dy / length / 2, dx / length / 2
        outline = [
            (x + sign * nx * width, y + sign * ny * width)
            for (x, y), width, signs in ((start, widths[0], (1, -1)), (end, widths[1], (-1, 1)))
            for sign in signs
        ]
        self.brush("polygon", outline, self.colours[colour], part)


def _along(start: tuple[float, float], angle: float, length: float) -> tuple[float, float]:
    """The point `length` pixels from `start`, `angle` radians from straight down."""
    return start[0] + math.sin(angle) * length, start[1] + math.cos(angle) * length
