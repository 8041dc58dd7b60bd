"""Random clothes, shoes and bags, as worn on a campus in winter."""

from __future__ import annotations

from dataclasses import replace

from pipeline.world import dyes
from pipeline.world.clothes import Shoes, Skirt, Trousers, UpperGarment
from pipeline.world.dyes import Rng, Weights, choice, contrasting, dye, mixed, shade_of
from pipeline.world.fabrics import Fabric
from pipeline.world.heads import Headwear
from pipeline.world.luggage import Bag

_TOPS = {
    "female": {"tshirt": 30, "shirt": 12, "sweater": 28, "hoodie": 18, "dress": 6},
    "male": {"tshirt": 32, "shirt": 20, "sweater": 22, "hoodie": 26},
}
_OUTERS = {
    "female": {"jacket": 30, "puffer": 26, "coat": 28, "cardigan": 16},
    "male": {"jacket": 44, "puffer": 28, "coat": 20, "cardigan": 8},
}
_BOTTOMS = {
    "female": {"jeans": 44, "chinos": 10, "loose": 10, "shorts": 5, "leggings": 20, "skirt": 9},
    "male": {"jeans": 48, "chinos": 22, "loose": 16, "shorts": 7},
}
_BAGS = {
    "female": {"none": 34, "backpack": 28, "shoulder": 20, "cross": 10, "hand": 8},
    "male": {"none": 40, "backpack": 36, "shoulder": 7, "cross": 10, "hand": 4},
}
_SHOES = {
    "female": {"sneakers": 55, "leather": 16, "boots": 29},
    "male": {"sneakers": 62, "leather": 19, "boots": 19},
}
_HEADWEAR = {
    "female": {"none": 83, "beanie": 10, "cap": 3, "hat": 1, "scarf": 3},
    "male": {"none": 82, "beanie": 9, "cap": 8, "hat": 1},
}
"""Relative frequency of each kind by sex."""

_PATTERNS = {
    "tshirt": {"plain": 50, "stripes": 12, "print": 33, "blocks": 5},
    "shirt": {"plain": 52, "stripes": 12, "checks": 36},
    "sweater": {"plain": 62, "stripes": 14, "print": 8, "blocks": 8, "melange": 8},
    "hoodie": {"plain": 50, "print": 38, "blocks": 6, "melange": 6},
    "dress": {"plain": 60, "stripes": 10, "checks": 10, "blocks": 6, "melange": 14},
    "jacket": {"plain": 84, "blocks": 12, "melange": 4},
    "puffer": {"plain": 88, "blocks": 12},
    "coat": {"plain": 80, "checks": 8, "melange": 12},
    "cardigan": {"plain": 70, "stripes": 12, "melange": 18},
    "skirt": {"plain": 75, "checks": 15, "melange": 10},
    "headwear": {"plain": 80, "stripes": 10, "melange": 10},
}
"""Relative frequency of each pattern by kind of garment; other kinds are plain."""

_SCALES = {
    "stripes": (0.03, 0.09),
    "checks": (0.05, 0.11),
    "print": (0.12, 0.26),
    "blocks": (0.18, 0.34),
}
"""Range of `Fabric.scale` in metres by pattern."""

_TRIMS = {
    "shirt": "placket",
    "sweater": "knitted",
    "hoodie": "hooded",
    "jacket": "zipped",
    "puffer": "zipped",
    "coat": "buttoned",
    "cardigan": "buttoned",
    "chinos": "creased",
    "shorts": "creased",
}
"""Trim by kind of garment; other kinds have none."""

_GLOSS = {"sneakers": 0.05, "leather": 0.35, "boots": 0.2}
_HEATHER = 0.3  # fraction of the second colour in a melange
_TWO_COLOURS = 0.3  # fraction of bags with pockets and straps of another colour
_SWEATPANTS = 0.3  # fraction of loose trousers with stripes at their sides


def draw_fabric(rng: Rng, colours: Weights, kind: str, gloss: float = 0.0) -> Fabric:
    """Draw the fabric of a kind of garment."""
    pattern = choice(rng, _PATTERNS.get(kind, {"plain": 1}))
    colour, second = dye(rng, colours), None
    if pattern != "plain":
        second = contrasting(rng, colour, colours)
    if pattern == "melange" and second is not None:
        second = mixed(colour, second, _HEATHER)
    return Fabric(
        colour,
        second,
        pattern,
        float(rng.uniform(*_SCALES.get(pattern, (0.02, 0.02)))),
        seed=int(rng.integers(1 << 16)),
        gloss=gloss,
        trim=_TRIMS.get(kind, "none"),
    )


def draw_top(rng: Rng, sex: str, layered: bool) -> UpperGarment:
    """Draw a top; `layered` below a jacket or coat it is no dress."""
    kind = choice(rng, _TOPS[sex])
    if layered and kind == "dress":
        kind = "sweater"
    female = sex == "female"
    base = UpperGarment(
        kind,
        draw_fabric(rng, dyes.UPPER, kind),
        ease=float(rng.uniform(0.012, 0.034)) - 0.006 * female,
        taper=float(rng.uniform(0.0, 0.25)) + 0.12 * female,
        hem=float(rng.uniform(0.0, 0.28)),
        sleeve=0.98,
        neckline=float(rng.choice([0.03, 0.03, 0.05, 0.09])),
    )
    return _cut_top(rng, base)


def _cut_top(rng: Rng, base: UpperGarment) -> UpperGarment:
    """Draw the cut of a top of this kind."""
    if base.kind == "tshirt":
        return replace(base, sleeve=float(rng.choice([0.3, 0.38, 0.45, 0.6, 0.98, 0.98])))
    if base.kind == "shirt":
        return replace(base, collar=0.035, opens=True, folds=0.006)
    if base.kind == "hoodie":
        return replace(base, ease=base.ease + 0.014, taper=0.05, hood=True, folds=0.008)
    if base.kind == "dress":
        cut = replace(base, ease=0.012, taper=0.4, sleeve=float(rng.choice([0, 0.3, 0.98, 0.98])))
        hem, flare = float(rng.uniform(0.6, 1.4)), float(rng.uniform(0.06, 0.22))
        return replace(cut, hem=hem, flare=flare)
    collar = float(rng.choice([0, 0, 0, 0.05]))
    return replace(base, ease=base.ease + 0.006, collar=collar, folds=0.007)


def draw_outer(rng: Rng, sex: str) -> UpperGarment:
    """Draw a jacket, coat or cardigan."""
    kind = choice(rng, _OUTERS[sex])
    gloss = float(rng.choice([0.0, 0.1, 0.3])) if kind in ("jacket", "puffer") else 0.0
    base = UpperGarment(
        kind,
        draw_fabric(rng, dyes.OUTER, kind, gloss),
        ease=float(rng.uniform(0.034, 0.05)),
        taper=0.05,
        hem=float(rng.uniform(-0.05, 0.3)),
        sleeve=1.0,
        collar=0.05,
        opens=True,
        folds=0.008,
        hood=bool(rng.random() < 0.4),
    )
    return _cut_outer(rng, base, sex)


def _cut_outer(rng: Rng, base: UpperGarment, sex: str) -> UpperGarment:
    """Draw the cut of an outer garment of this kind."""
    if base.kind == "puffer":
        hem = float(rng.uniform(0.6, 1.1)) if rng.random() < 0.2 else base.hem
        padded = replace(base, ease=base.ease + 0.012, folds=0.004, taper=0.0)
        return replace(padded, quilts=float(rng.uniform(0.05, 0.1)), hem=hem)
    if base.kind == "coat":
        hem, flare = float(rng.uniform(0.5, 1.25)), float(rng.uniform(0.02, 0.07))
        taper = 0.12 if sex == "female" else 0.0
        return replace(base, hem=hem, flare=flare, taper=taper)
    if base.kind == "cardigan":
        knitted = replace(base, collar=0.0, neckline=0.14, hood=False)
        return replace(knitted, hem=float(rng.uniform(0.0, 0.6)))
    return base


def draw_bottom(rng: Rng, sex: str, dressed: bool, cold: bool) -> Trousers | Skirt:
    """Draw trousers or a skirt; leggings if `dressed` in a dress, rarely shorts if `cold`."""
    kinds = dict(_BOTTOMS[sex])
    if cold:
        kinds["shorts"] = 1
    kind = "leggings" if dressed else choice(rng, kinds)
    if kind == "skirt":
        fabric = draw_fabric(rng, dyes.LOWER, kind)
        return Skirt(kind, fabric, float(rng.uniform(0.45, 1.5)), float(rng.uniform(0.03, 0.2)))
    return _draw_jeans(rng) if kind == "jeans" else _draw_trousers(rng, kind)


def _draw_jeans(rng: Rng) -> Trousers:
    """Draw tight, straight or wide jeans."""
    fabric = Fabric(shade_of(rng, dyes.DENIM), grain=0.12, trim="denim")
    ease, taper = ((0.008, 0.25), (0.013, 0.12), (0.02, 0.05))[int(rng.integers(3))]
    return Trousers("jeans", fabric, ease, taper, float(rng.uniform(0.93, 1.03)))


def _draw_trousers(rng: Rng, kind: str) -> Trousers:
    fabric = draw_fabric(rng, dyes.LOWER, kind)
    if kind == "leggings":
        return Trousers(kind, fabric, 0.004, 1.0, float(rng.choice([0.85, 1.0])), folds=0.0015)
    if kind == "shorts":
        return Trousers(kind, fabric, 0.026, 0.02, float(rng.uniform(0.35, 0.6)))
    if kind == "loose":
        if rng.random() < _SWEATPANTS:
            fabric = replace(fabric, trim="striped")
        return Trousers(kind, fabric, 0.03, 0.03, float(rng.uniform(0.96, 1.04)), folds=0.008)
    return Trousers(kind, fabric, 0.015, 0.09, float(rng.uniform(0.94, 1.02)))


def draw_tights(rng: Rng) -> Trousers:
    """Draw tights to wear below a skirt."""
    cloth = Fabric(shade_of(rng, dyes.COLOURS["black"]))
    return Trousers("leggings", cloth, 0.003, 1.0, 1.0, folds=0.001)


def draw_shoes(rng: Rng, sex: str) -> Shoes:
    """Draw a pair of shoes; the soles of sneakers are mostly white."""
    kind = choice(rng, _SHOES[sex])
    fabric = Fabric(dye(rng, dyes.SHOE), gloss=_GLOSS[kind])
    sole = shade_of(rng, dyes.SOLES if kind == "sneakers" else dyes.SOLES[-1:])
    return Shoes(kind, fabric, sole, float(rng.choice([0.06, 0.12, 0.24])) * (kind == "boots"))


def draw_headwear(rng: Rng, sex: str) -> Headwear | None:
    """Draw a cap, beanie, hat or scarf; mostly None."""
    kind = choice(rng, _HEADWEAR[sex])
    return None if kind == "none" else Headwear(kind, draw_fabric(rng, dyes.UPPER, "headwear"))


def draw_bag(rng: Rng, sex: str) -> Bag | None:
    """Draw a bag, or None."""
    kind = choice(rng, _BAGS[sex])
    if kind == "none":
        return None
    colour = dye(rng, dyes.BAG)
    second = mixed(colour, (0, 0, 0), 0.4)
    if rng.random() < _TWO_COLOURS:
        second = contrasting(rng, colour, dyes.BAG)
    side = "l" if rng.random() < 0.5 else "r"
    return Bag(kind, colour, second, float(rng.uniform(0.82, 1.18)), side)
