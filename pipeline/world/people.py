"""Identities: who a person is and wears, whatever the view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from pipeline.world.body import Shape
from pipeline.world.clothes import Shoes, Skirt, Trousers, UpperGarment
from pipeline.world.finishes import finish
from pipeline.world.heads import Hair, Headwear
from pipeline.world.luggage import Bag
from pipeline.world.patterns import Colour, Complexion, Fabric, Strands

Rng = np.random.Generator
Weights = Mapping[str, float]

COLOURS = {
    "black": ("#17181b", "#1d1d22", "#121316"),
    "grey": ("#4a4c50", "#6b6d70", "#8d8f91", "#37393d"),
    "white": ("#d9d8d3", "#e6e4de", "#c9c8c4"),
    "navy": ("#1e2740", "#232c4d", "#161d33"),
    "blue": ("#2f4f86", "#3d6aa5", "#6f93bd", "#27406f"),
    "red": ("#7d1f27", "#a3262b", "#5d1824"),
    "green": ("#2c4430", "#3d4a2c", "#4c5a3c", "#1f3d38"),
    "brown": ("#4a3526", "#6d4f38", "#8d7458", "#33261d"),
    "beige": ("#b5a384", "#c9bb9f", "#98866a"),
    "yellow": ("#b98a26", "#c9a43f", "#b3641f"),
    "pink": ("#a5607a", "#c58fa0", "#6d3a5c"),
}
"""sRGB dyes by the name of their class."""

COLOUR_NAMES = tuple(COLOURS)

_UPPER = dict(zip(COLOUR_NAMES, (24, 18, 11, 13, 8, 6, 5, 5, 4, 2, 4), strict=True))
_OUTER = dict(zip(COLOUR_NAMES, (36, 18, 3, 16, 5, 4, 6, 5, 4, 1, 2), strict=True))
_LOWER = dict(zip(COLOUR_NAMES, (36, 20, 2, 18, 3, 1, 3, 6, 11, 0, 0), strict=True))
_SHOE = dict(zip(COLOUR_NAMES, (40, 16, 22, 5, 3, 3, 0, 9, 2, 0, 0), strict=True))
_BAG = dict(zip(COLOUR_NAMES, (42, 18, 2, 11, 7, 5, 4, 6, 2, 2, 1), strict=True))
"""How often each colour is worn, in per cent: dark and muted, as on a campus in winter."""

_DENIM = ("#2b3a55", "#3a4d6d", "#4f6889", "#7d93ad", "#1f2a40", "#26262b")
_SKINS = ("#e0b8a0", "#d3a488", "#c08d6c", "#a0714f", "#6f4a33", "#4a3022")
_SKIN_WEIGHTS = (27, 25, 20, 12, 9, 7)
_HAIRS = ("#14110f", "#1f1712", "#33241a", "#4d3624", "#7a5c38", "#8a8682", "#5c2f1c")
_HAIR_WEIGHTS = (32, 24, 18, 11, 7, 4, 4)


@dataclass(frozen=True)
class Identity:
    """A person, in the clothes of one day."""

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
    glasses: bool = False

    @property
    def attributes(self) -> dict[str, int]:
        """Labels that a network can be trained to tell; see `ATTRIBUTES`."""
        upper = self.outer or self.top
        names = {
            "sex": "female" if self.shape.female > 0.5 else "male",
            "age": "child" if self.shape.age < -0.3 else "old" if self.shape.age > 0.5 else "adult",
            "build": _build(self.shape.weight),
            "upper": upper.kind,
            "upper_colour": colour_name(upper.fabric.colour),
            "inner_colour": colour_name(self.top.fabric.colour),
            "pattern": upper.fabric.pattern,
            "sleeves": "long" if upper.sleeve > 0.8 else "short",
            "lower": self.bottom.kind,
            "lower_colour": colour_name(self.bottom.fabric.colour),
            "hair": self.hair.style,
            "hair_colour": colour_name(self.hair.strands.colour),
            "headwear": self.headwear.kind if self.headwear else "none",
            "shoes": self.shoes.kind,
            "shoe_colour": colour_name(self.shoes.fabric.colour),
            "bag": self.bag.kind if self.bag else "none",
            "bag_colour": colour_name(self.bag.colour) if self.bag else "none",
        }
        return {name: ATTRIBUTES[name].index(value) for name, value in names.items()}


ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "sex": ("male", "female"),
    "age": ("child", "adult", "old"),
    "build": ("thin", "average", "heavy"),
    "upper": (
        "tshirt",
        "shirt",
        "sweater",
        "hoodie",
        "jacket",
        "puffer",
        "coat",
        "cardigan",
        "dress",
    ),
    "upper_colour": COLOUR_NAMES,
    "inner_colour": COLOUR_NAMES,
    "pattern": ("plain", "stripes", "checks", "print", "blocks", "melange"),
    "sleeves": ("short", "long"),
    "lower": ("jeans", "chinos", "loose", "shorts", "leggings", "skirt"),
    "lower_colour": COLOUR_NAMES,
    "hair": ("bald", "short", "crop", "bob", "long", "tail", "bun"),
    "hair_colour": COLOUR_NAMES,
    "headwear": ("none", "cap", "beanie", "hat", "scarf"),
    "shoes": ("sneakers", "leather", "boots"),
    "shoe_colour": COLOUR_NAMES,
    "bag": ("none", "backpack", "shoulder", "cross", "hand"),
    "bag_colour": (*COLOUR_NAMES, "none"),
}
"""Values of each attribute; a label is the row of its value."""


def _build(weight: float) -> str:
    return "thin" if weight < -0.35 else "heavy" if weight > 0.35 else "average"


def colour_name(colour: Colour) -> str:
    """The class of the dye that is nearest in brightness-corrected RGB."""
    seen = np.sqrt(colour)
    distances = {
        name: min(float(((np.sqrt(finish(code).colour) - seen) ** 2).sum()) for code in codes)
        for name, codes in COLOURS.items()
    }
    return min(distances, key=lambda name: distances[name])


# ------------------------------------------------------------------------------- drawing


def draw_identity(rng: Rng) -> Identity:
    """A random person."""
    female = bool(rng.random() < 0.45)
    shape = _draw_shape(rng, female)
    outer = _draw_outer(rng, female) if rng.random() < 0.62 else None
    top = _draw_top(rng, female, outer is not None)
    bottom = _draw_bottom(rng, female, top.kind == "dress", outer is not None)
    skirted = isinstance(bottom, Skirt) or top.kind == "dress"
    hair = _draw_hair(rng, female, shape.age)
    headwear = _draw_headwear(rng, female)
    return Identity(
        shape=shape,
        skin=_draw_skin(rng, female, hair),
        hair=hair,
        top=top,
        bottom=bottom,
        shoes=_draw_shoes(rng, female),
        outer=outer,
        legwear=_draw_tights(rng) if skirted and rng.random() < 0.75 else None,
        headwear=headwear,
        bag=_draw_bag(rng, female),
        glasses=bool(rng.random() < 0.2),
    )


def _choice(rng: Rng, weights: Weights) -> str:
    names = list(weights)
    chances = np.array(list(weights.values()), np.float64)
    return names[int(rng.choice(len(names), p=chances / chances.sum()))]


def _pick(rng: Rng, codes: tuple[str, ...], weights: tuple[int, ...] | None = None) -> Colour:
    """One of sRGB `codes`, changed a little, as linear albedo."""
    chances = None if weights is None else np.array(weights) / sum(weights)
    base = np.array(finish(codes[int(rng.choice(len(codes), p=chances))]).colour)
    changed = base * np.exp(rng.normal(0, 0.1)) * np.exp(rng.normal(0, 0.03, 3))
    red, green, blue = np.clip(changed, 0.004, 0.85).round(6).tolist()
    return red, green, blue


def _dye(rng: Rng, weights: Weights) -> Colour:
    return _pick(rng, COLOURS[_choice(rng, weights)])


def _draw_shape(rng: Rng, female: bool) -> Shape:
    child = rng.random() < 0.02
    old = rng.random() < 0.12
    return Shape(
        female=0.95 if female else 0.05,
        weight=float(np.clip(rng.normal(-0.1, 0.4), -0.8, 0.9)),
        height=float(np.clip(rng.normal(0.03, 0.12), -0.28, 0.3)),
        age=-0.5 if child else float(rng.uniform(0.55, 0.9)) if old else float(rng.uniform(0, 0.4)),
    )


_TRIMS = {
    "shirt": "placket",
    "sweater": "knitted",
    "hoodie": "hooded",
    "jacket": "zipped",
    "puffer": "zipped",
    "coat": "buttoned",
    "cardigan": "buttoned",
    "jeans": "denim",
    "chinos": "creased",
    "shorts": "creased",
}
"""Seams and fastenings by the kind of garment."""


def _draw_fabric(
    rng: Rng, dyes: Weights, patterns: Weights, kind: str = "", gloss: float = 0.0
) -> Fabric:
    pattern = _choice(rng, patterns)
    colour, second = _dye(rng, dyes), None
    if pattern != "plain":
        second = _contrast(rng, colour, dyes)
    if pattern == "melange" and second is not None:
        second = _mixed(colour, second)
    scale = {
        "stripes": rng.uniform(0.03, 0.09),
        "checks": rng.uniform(0.05, 0.11),
        "print": rng.uniform(0.12, 0.26),
        "blocks": rng.uniform(0.18, 0.34),
    }
    return Fabric(
        colour,
        second,
        pattern,
        float(scale.get(pattern, 0.02)),
        seed=int(rng.integers(1 << 16)),
        gloss=gloss,
        trim=_TRIMS.get(kind, "none"),
    )


def _mixed(colour: Colour, other: Colour) -> Colour:
    red, green, blue = (0.7 * a + 0.3 * b for a, b in zip(colour, other, strict=True))
    return red, green, blue


def _contrast(rng: Rng, colour: Colour, dyes: Weights) -> Colour:
    """Another dye that can be told from `colour`."""
    second = colour
    for _ in range(8):
        second = _dye(rng, {**dict.fromkeys(dyes, 5.0), "white": 25.0, "grey": 15.0, "black": 15.0})
        if abs(np.sqrt(np.array(second)) - np.sqrt(np.array(colour))).sum() > 0.35:
            break
    return second


_TOP_KINDS = {
    True: {"tshirt": 30, "shirt": 12, "sweater": 28, "hoodie": 18, "dress": 6},
    False: {"tshirt": 32, "shirt": 20, "sweater": 22, "hoodie": 26},
}
_OUTER_KINDS = {
    True: {"jacket": 30, "puffer": 26, "coat": 28, "cardigan": 16},
    False: {"jacket": 44, "puffer": 28, "coat": 20, "cardigan": 8},
}
_PATTERN_WEIGHTS = {
    "tshirt": {"plain": 50, "stripes": 12, "print": 33, "blocks": 5},
    "shirt": {"plain": 52, "stripes": 12, "checks": 36},
    "sweater": {"plain": 62, "stripes": 14, "print": 8, "blocks": 8, "melange": 8},
    "hoodie": {"plain": 50, "print": 38, "blocks": 6, "melange": 6},
    "dress": {"plain": 60, "stripes": 10, "checks": 10, "blocks": 6, "melange": 14},
    "jacket": {"plain": 84, "blocks": 12, "melange": 4},
    "puffer": {"plain": 88, "blocks": 12},
    "coat": {"plain": 80, "checks": 8, "melange": 12},
    "cardigan": {"plain": 70, "stripes": 12, "melange": 18},
}


def _draw_top(rng: Rng, female: bool, layered: bool) -> UpperGarment:
    kind = _choice(rng, _TOP_KINDS[female])
    if layered and kind == "dress":
        kind = "sweater"
    fabric = _draw_fabric(rng, _UPPER, _PATTERN_WEIGHTS[kind], kind)
    ease = float(rng.uniform(0.012, 0.034)) - 0.006 * female
    taper = float(rng.uniform(0.0, 0.25)) + 0.12 * female
    hem = float(rng.uniform(0.0, 0.28))
    base = UpperGarment(kind, fabric, ease, taper, hem, 0.98, folds=0.005)
    short = float(rng.choice([0.3, 0.38, 0.45, 0.6]))
    deep = float(rng.choice([0.03, 0.03, 0.05, 0.09]))
    if kind == "tshirt":
        return replace(base, sleeve=0.98 if rng.random() < 0.35 else short, neckline=deep)
    if kind == "shirt":
        return replace(base, collar=0.035, opening="buttons", sleeve=0.97, folds=0.006)
    if kind == "hoodie":
        return replace(base, ease=ease + 0.014, taper=0.05, hood=True, folds=0.008)
    if kind == "dress":
        flare = float(rng.uniform(0.06, 0.22))
        sleeve = float(rng.choice([0.0, 0.3, 0.98, 0.98]))
        return replace(
            base,
            hem=float(rng.uniform(0.6, 1.4)),
            flare=flare,
            sleeve=sleeve,
            ease=0.012,
            taper=0.4,
            neckline=deep,
        )
    collar = float(rng.choice([0, 0, 0, 0.05]))
    return replace(base, ease=ease + 0.006, collar=collar, folds=0.007, neckline=deep)


def _draw_outer(rng: Rng, female: bool) -> UpperGarment:
    kind = _choice(rng, _OUTER_KINDS[female])
    gloss = float(rng.choice([0.0, 0.1, 0.3])) if kind in ("jacket", "puffer") else 0.0
    fabric = _draw_fabric(rng, _OUTER, _PATTERN_WEIGHTS[kind], kind, gloss)
    ease = float(rng.uniform(0.034, 0.05))
    hem = float(rng.uniform(-0.05, 0.3))
    base = UpperGarment(
        kind,
        fabric,
        ease,
        0.05,
        hem,
        1.0,
        collar=0.05,
        opening="zip",
        folds=0.008,
        hood=bool(rng.random() < 0.4),
    )
    if kind == "puffer":
        long = rng.random() < 0.2
        return replace(
            base,
            ease=ease + 0.012,
            quilts=float(rng.uniform(0.05, 0.1)),
            folds=0.004,
            hem=float(rng.uniform(0.6, 1.1)) if long else hem,
            taper=0.0,
        )
    if kind == "coat":
        return replace(
            base,
            hem=float(rng.uniform(0.5, 1.25)),
            opening="buttons",
            taper=0.12 * female,
            flare=float(rng.uniform(0.02, 0.07)),
        )
    if kind == "cardigan":
        return replace(
            base,
            collar=0.0,
            neckline=0.14,
            opening="buttons",
            hood=False,
            hem=float(rng.uniform(0.0, 0.6)),
        )
    return base


def _draw_bottom(rng: Rng, female: bool, dressed: bool, cold: bool) -> Trousers | Skirt:
    kinds = {"jeans": 48, "chinos": 22, "loose": 16, "shorts": 7}
    if female:
        kinds = {"jeans": 44, "chinos": 10, "loose": 10, "shorts": 5, "leggings": 20, "skirt": 9}
    if cold:
        kinds["shorts"] = 1
    kind = "leggings" if dressed else _choice(rng, kinds)
    if kind == "skirt":
        fabric = _draw_fabric(rng, _LOWER, {"plain": 75, "checks": 15, "melange": 10})
        return Skirt(kind, fabric, float(rng.uniform(0.45, 1.5)), float(rng.uniform(0.03, 0.2)))
    if kind == "jeans":
        fabric = Fabric(_pick(rng, _DENIM), grain=0.12, trim="denim")
        fit = float(rng.choice([0.006, 0.013, 0.02]))
        taper = {0.006: 0.3, 0.013: 0.12, 0.02: 0.05}[fit]
        return Trousers(kind, fabric, fit, taper, float(rng.uniform(0.93, 1.03)))
    fabric = _draw_fabric(rng, _LOWER, {"plain": 1}, kind)
    if kind == "loose" and rng.random() < 0.3:
        fabric = replace(fabric, trim="striped")
    if kind == "leggings":
        return Trousers(kind, fabric, 0.004, 1.0, float(rng.choice([0.85, 1.0])), folds=0.0015)
    if kind == "shorts":
        return Trousers(kind, fabric, 0.026, 0.02, float(rng.uniform(0.35, 0.6)))
    if kind == "loose":
        return Trousers(kind, fabric, 0.03, 0.03, float(rng.uniform(0.96, 1.04)), folds=0.008)
    return Trousers(kind, fabric, 0.015, 0.09, float(rng.uniform(0.94, 1.02)))


def _draw_tights(rng: Rng) -> Trousers:
    return Trousers("leggings", Fabric(_pick(rng, COLOURS["black"])), 0.003, 1.0, 1.0, folds=0.001)


def _draw_shoes(rng: Rng, female: bool) -> Shoes:
    kind = _choice(rng, {"sneakers": 60, "leather": 18, "boots": 32 if female else 18})
    fabric = Fabric(_dye(rng, _SHOE), gloss={"sneakers": 0.05, "leather": 0.35, "boots": 0.2}[kind])
    shaft = float(rng.choice([0.06, 0.12, 0.24])) if kind == "boots" else 0.0
    return Shoes(kind, fabric, shaft)


def _draw_hair(rng: Rng, female: bool, age: float) -> Hair:
    styles = {"short": 68, "crop": 20, "bald": 6, "long": 2, "bun": 2, "bob": 2}
    if female:
        styles = {"long": 40, "tail": 24, "bun": 10, "bob": 18, "short": 8}
    style = _choice(rng, styles)
    colour = _pick(rng, _HAIRS, _HAIR_WEIGHTS)
    if age > 0.5 and rng.random() < 0.7:
        colour = _pick(rng, ("#8a8682", "#6f6b68", "#a8a5a1"))
    strands = Strands(colour, int(rng.integers(1 << 16)))
    top, sides = float(rng.uniform(0.016, 0.036)), float(rng.uniform(0.006, 0.016))
    length = 0.0
    if style == "crop":
        top, sides = 0.008, 0.005
    if style == "long":
        length, sides = float(rng.uniform(0.14, 0.34)), 0.018
    if style == "bob":
        length, sides = float(rng.uniform(0.03, 0.1)), 0.022
    return Hair(
        style,
        strands,
        top,
        sides,
        length,
        hairline=float(rng.uniform(0.66, 0.8)),
        fringe=bool(rng.random() < (0.3 if female else 0.25)),
        parting=float(rng.uniform(-1, 1)),
        seed=int(rng.integers(1 << 16)),
    )


def _draw_skin(rng: Rng, female: bool, hair: Hair) -> Complexion:
    beard = 0.0 if female else float(rng.choice([0, 0.12, 0.3, 0.7], p=[0.45, 0.25, 0.15, 0.15]))
    lips = float(rng.uniform(0, 0.6)) if female else 0.1
    return Complexion(_pick(rng, _SKINS, _SKIN_WEIGHTS), hair.strands.colour, beard, lips)


def _draw_headwear(rng: Rng, female: bool) -> Headwear | None:
    kind = _choice(
        rng, {"none": 80, "beanie": 9, "cap": 7 - 4 * female, "hat": 1, "scarf": 2 * female}
    )
    if kind == "none":
        return None
    return Headwear(kind, _draw_fabric(rng, _UPPER, {"plain": 80, "stripes": 10, "melange": 10}))


def _draw_bag(rng: Rng, female: bool) -> Bag | None:
    kinds = {"none": 40, "backpack": 36, "shoulder": 7, "cross": 10, "hand": 4}
    if female:
        kinds = {"none": 34, "backpack": 28, "shoulder": 20, "cross": 10, "hand": 8}
    kind = _choice(rng, kinds)
    if kind == "none":
        return None
    colour = _dye(rng, _BAG)
    second = _contrast(rng, colour, _BAG) if rng.random() < 0.3 else _darker(colour)
    side = "l" if rng.random() < 0.5 else "r"
    return Bag(kind, colour, second, float(rng.uniform(0.82, 1.18)), side)


def _darker(colour: Colour) -> Colour:
    red, green, blue = (0.6 * value for value in colour)
    return red, green, blue
