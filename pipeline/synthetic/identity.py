"""Who is drawn: the parts and attributes of a person, and random identities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.synthetic.colour import PALETTE, Colour, vary

PARTS = ("background", "skin", "top", "bottom", "shoe", "hair", "bag", "occluder")
SKIN, TOP, BOTTOM, SHOE, HAIR, BAG, OCCLUDER = range(1, 8)

ATTRIBUTES: dict[str, int] = {
    "top": 10,
    "bottom": 4,
    "pattern": 6,
    "pattern_colour": 10,
    "long_sleeves": 2,
    "bottom_type": 3,
    "shoe": 10,
    "hair": 4,
    "hair_style": 3,
    "cap": 10,
    "skin": 3,
    "bag": 4,
    "bag_colour": 10,
}
"""Name of every attribute and its number of classes."""

ATTRIBUTE_PART: dict[str, int] = {
    "top": TOP,
    "bottom": BOTTOM,
    "pattern": TOP,
    "pattern_colour": TOP,
    "long_sleeves": TOP,
    "bottom_type": BOTTOM,
    "shoe": SHOE,
    "hair": HAIR,
    "hair_style": HAIR,
    "cap": HAIR,
    "skin": SKIN,
    "bag": BAG,
    "bag_colour": BAG,
}
"""Index in `PARTS` of the part on which the attribute is seen."""

PLAIN, BANDS, STRIPES, CHECKS, HALVES, EMBLEM = range(6)  # pattern
TROUSERS, SHORTS, SKIRT = range(3)  # bottom_type
SHORT_HAIR, LONG_HAIR, CAP = range(3)  # hair_style
NO_BAG, BACKPACK, HANDBAG, SHOULDER_BAG = range(4)  # bag

_BOTTOM_COLOURS = PALETTE[[1, 5, 8, 9]]
_HAIR_COLOURS = np.array([[30, 25, 20], [90, 55, 25], [200, 170, 90], [120, 120, 120]])
_SKIN_COLOURS = np.array([[240, 200, 170], [200, 150, 110], [120, 80, 55]])
_MIN_PATTERN_CONTRAST = 150  # summed over the three channels, so that a pattern can be seen


@dataclass(frozen=True)
class Identity:
    """What makes a person the same person in every image.

    `attributes` has one class index for each of `ATTRIBUTES`, -1 where it does not apply (the
    colour of a bag that is not there). `colours` are the exact colours worn. `build` scales width,
    legs and head; `pattern_scale` is the period of the pattern as a share of the body height.
    """

    attributes: dict[str, int]
    colours: dict[str, Colour]
    build: tuple[float, float, float]
    pattern_scale: float


def draw_identity(rng: np.random.Generator, top_colours: int = 5) -> Identity:
    """A random identity whose top has one of the first `top_colours` (1..10) palette colours.

    Few colours make identities that share them and differ in patterns and bags.
    """
    attributes = {name: int(rng.integers(classes)) for name, classes in ATTRIBUTES.items()}
    attributes["top"] = int(rng.integers(top_colours))
    attributes["bottom_type"] = int(rng.choice([TROUSERS, TROUSERS, SHORTS, SKIRT]))
    colours = {
        name: vary(rng, choices[attributes[name]], spread)
        for name, choices, spread in (
            ("top", PALETTE, 6),
            ("bottom", _BOTTOM_COLOURS, 6),
            ("shoe", PALETTE, 6),
            ("hair", _HAIR_COLOURS, 8),
            ("cap", PALETTE, 6),
            ("skin", _SKIN_COLOURS, 6),
            ("bag_colour", PALETTE, 6),
        )
    }
    contrast = np.abs(PALETTE - np.array(colours["top"])).sum(1)
    pattern_colour = int(rng.choice(np.flatnonzero(contrast >= _MIN_PATTERN_CONTRAST)))
    attributes["pattern_colour"] = pattern_colour
    colours["pattern_colour"] = vary(rng, PALETTE[pattern_colour], 6)
    for name, applies in (
        ("cap", attributes["hair_style"] == CAP),
        ("bag_colour", attributes["bag"] != NO_BAG),
        ("pattern_colour", attributes["pattern"] != PLAIN),
    ):
        if not applies:
            attributes[name] = -1
    build = (rng.uniform(0.85, 1.2), rng.uniform(0.92, 1.08), rng.uniform(0.9, 1.1))
    return Identity(attributes, colours, build, rng.uniform(0.06, 0.14))
