"""Identities: what is constant in all views of a person."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass

import numpy as np

from pipeline.world import dyes, wardrobe
from pipeline.world.body import Shape
from pipeline.world.clothes import Shoes, Skirt, Trousers, UpperGarment
from pipeline.world.dyes import COLOUR_NAMES, Rng, choice, colour_name, shade_of
from pipeline.world.heads import Hair, Headwear
from pipeline.world.luggage import Bag
from pipeline.world.materials import Complexion, Strands

_FEMALE, _CHILD, _OLD = 0.45, 0.02, 0.12  # fractions of people
_OUTER, _TIGHTS, _GLASSES = 0.62, 0.75, 0.2  # probability of wearing them
_HAIRCUTS = {
    "female": {"long": 40, "tail": 24, "bun": 10, "bob": 18, "short": 8},
    "male": {"short": 68, "crop": 20, "bald": 6, "long": 2, "bun": 2, "bob": 2},
}
"""Relative frequency by sex."""


@dataclass(frozen=True)
class Identity:
    """Body, hair, clothes and bag of a person."""

    shape: Shape
    skin: Complexion
    hair: Hair
    top: UpperGarment
    bottom: Trousers | Skirt
    shoes: Shoes
    outer: UpperGarment | None = None
    legwear: Trousers | None = None
    """Tights below a skirt or dress."""
    headwear: Headwear | None = None
    bag: Bag | None = None
    things_seed: int = 0
    """Random seed of phone, suitcase, bicycle, child and whatever else some views show."""

    @property
    def handbag(self) -> Bag | None:
        """The bag, if a hand holds it."""
        return self.bag if self.bag is not None and self.bag.kind == "hand" else None

    @property
    def attributes(self) -> dict[str, int]:
        """Labels for attribute recognition: indices in `ATTRIBUTES`."""
        upper = self.outer or self.top
        names = {
            "sex": "female" if self.shape.female > 0.5 else "male",
            "age": ATTRIBUTES["age"][bisect((-0.3, 0.5), self.shape.age)],
            "build": ATTRIBUTES["build"][bisect((-0.35, 0.35), self.shape.weight)],
            "upper": upper.kind,
            "upper_colour": colour_name(upper.fabric.colour),
            "inner_colour": colour_name(self.top.fabric.colour),
            "pattern": upper.fabric.pattern,
            "sleeves": "long" if upper.sleeve > 0.8 else "short",
            "lower": self.bottom.kind,
            "lower_colour": colour_name(self.bottom.fabric.colour),
            "hair": self.hair.style,
            "hair_colour": colour_name(self.hair.strands.colour),
            "glasses": "yes" if self.skin.glasses else "no",
            "headwear": self.headwear.kind if self.headwear else "none",
            "shoes": self.shoes.kind,
            "shoe_colour": colour_name(self.shoes.fabric.colour),
            "bag": self.bag.kind if self.bag else "none",
            "bag_colour": colour_name(self.bag.colour) if self.bag else "none",
        }
        return {name: ATTRIBUTES[name].index(value) for name, value in names.items()}


_TOPS = ("tshirt", "shirt", "sweater", "hoodie", "dress")
_OUTERS = ("jacket", "puffer", "coat", "cardigan")

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "sex": ("male", "female"),
    "age": ("child", "adult", "old"),
    "build": ("thin", "average", "heavy"),
    "upper": (*_TOPS, *_OUTERS),
    "upper_colour": COLOUR_NAMES,
    "inner_colour": COLOUR_NAMES,
    "pattern": ("plain", "stripes", "checks", "print", "blocks", "melange"),
    "sleeves": ("short", "long"),
    "lower": ("jeans", "chinos", "loose", "shorts", "leggings", "skirt"),
    "lower_colour": COLOUR_NAMES,
    "hair": ("bald", "short", "crop", "bob", "long", "tail", "bun"),
    "hair_colour": COLOUR_NAMES,
    "glasses": ("no", "yes"),
    "headwear": ("none", "cap", "beanie", "hat", "scarf"),
    "shoes": ("sneakers", "leather", "boots"),
    "shoe_colour": COLOUR_NAMES,
    "bag": ("none", "backpack", "shoulder", "cross", "hand"),
    "bag_colour": (*COLOUR_NAMES, "none"),
}
"""Values of each attribute; a label is the index of its value."""


def draw_identity(rng: Rng) -> Identity:
    """Draw a person."""
    sex = "female" if rng.random() < _FEMALE else "male"
    shape = _draw_shape(rng, sex)
    outer = wardrobe.draw_outer(rng, sex) if rng.random() < _OUTER else None
    top = wardrobe.draw_top(rng, sex, layered=outer is not None)
    dressed = top.kind == "dress"
    bottom = wardrobe.draw_bottom(rng, sex, dressed, cold=outer is not None)
    skirted = dressed or isinstance(bottom, Skirt)
    hair = _draw_hair(rng, sex, shape.age)
    return Identity(
        shape=shape,
        skin=_draw_skin(rng, sex, hair),
        hair=hair,
        top=top,
        bottom=bottom,
        shoes=wardrobe.draw_shoes(rng, sex),
        outer=outer,
        legwear=wardrobe.draw_tights(rng) if skirted and rng.random() < _TIGHTS else None,
        headwear=wardrobe.draw_headwear(rng, sex),
        bag=wardrobe.draw_bag(rng, sex),
        things_seed=int(rng.integers(1 << 31)),
    )


def _draw_shape(rng: Rng, sex: str) -> Shape:
    age = float(rng.uniform(0, 0.4))
    chance = rng.random()
    if chance < _CHILD:
        age = -0.5
    elif chance < _CHILD + _OLD:
        age = float(rng.uniform(0.55, 0.9))
    return Shape(
        female=0.95 if sex == "female" else 0.05,
        weight=float(np.clip(rng.normal(-0.1, 0.4), -0.8, 0.9)),
        height=float(np.clip(rng.normal(0.03, 0.12), -0.28, 0.3)),
        age=age,
    )


def _draw_hair(rng: Rng, sex: str, age: float) -> Hair:
    style = choice(rng, _HAIRCUTS[sex])
    grey = rng.random() < (0.7 if age > 0.5 else 0.02)
    colour = shade_of(rng, dyes.GREY_HAIR if grey else [choice(rng, dyes.HAIR)])
    top, sides = rng.uniform((0.016, 0.006), (0.036, 0.016)).tolist()
    length = 0.0
    if style == "crop":
        top, sides = 0.008, 0.005
    elif style == "long":
        length, sides = float(rng.uniform(0.14, 0.34)), 0.018
    elif style == "bob":
        length, sides = float(rng.uniform(0.03, 0.1)), 0.022
    return Hair(
        style,
        Strands(colour, int(rng.integers(1 << 16))),
        top,
        sides,
        length,
        hairline=float(rng.uniform(0.66, 0.8)),
        fringe=bool(rng.random() < 0.28),
        parting=float(rng.uniform(-1, 1)),
        seed=int(rng.integers(1 << 16)),
    )


def _draw_skin(rng: Rng, sex: str, hair: Hair) -> Complexion:
    female = sex == "female"
    beard = 0.0 if female else float(rng.choice([0, 0.12, 0.3, 0.7], p=[0.45, 0.25, 0.15, 0.15]))
    return Complexion(
        shade_of(rng, [choice(rng, dyes.SKIN)]),
        hair.strands.colour,
        beard,
        lips=float(rng.uniform(0, 0.6)) if female else 0.1,
        glasses=bool(rng.random() < _GLASSES),
    )
