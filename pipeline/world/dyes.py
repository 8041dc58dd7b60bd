"""Colours of clothes, skin and hair, with their frequencies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.world.fabrics import Colour
from pipeline.world.finishes import finish

Rng = np.random.Generator
Weights = Mapping[str, float]
"""Relative frequencies by name."""

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
"""sRGB dyes by colour class."""

COLOUR_NAMES = tuple(COLOURS)

UPPER = dict(zip(COLOUR_NAMES, (24, 18, 11, 13, 8, 6, 5, 5, 4, 2, 4), strict=True))
OUTER = dict(zip(COLOUR_NAMES, (36, 18, 3, 16, 5, 4, 6, 5, 4, 1, 2), strict=True))
LOWER = dict(zip(COLOUR_NAMES, (36, 20, 2, 18, 3, 1, 3, 6, 11, 0, 0), strict=True))
SHOE = dict(zip(COLOUR_NAMES, (40, 16, 22, 5, 3, 3, 0, 9, 2, 0, 0), strict=True))
BAG = dict(zip(COLOUR_NAMES, (42, 18, 2, 11, 7, 5, 4, 6, 2, 2, 1), strict=True))
"""Relative frequencies of the colour classes: dark and muted, as on a campus in winter."""

DENIM = ("#2b3a55", "#3a4d6d", "#4f6889", "#7d93ad", "#1f2a40", "#26262b")
SKIN = {"#e0b8a0": 27, "#d3a488": 25, "#c08d6c": 20, "#a0714f": 12, "#6f4a33": 9, "#4a3022": 7}
HAIR = {"#14110f": 32, "#1f1712": 24, "#33241a": 18, "#4d3624": 11, "#7a5c38": 7, "#5c2f1c": 4}
GREY_HAIR = ("#8a8682", "#6f6b68", "#a8a5a1")
SOLES = ("#c9c7c2", "#d9d8d3", "#17181b")

_MIN_CONTRAST = 0.35  # L1 distance of two colours with gamma 2
_TRIES = 8


def choice(rng: Rng, weights: Weights) -> str:
    """Draw a name by its weight."""
    names = list(weights)
    chances = np.array(list(weights.values()), np.float64)
    return names[int(rng.choice(len(names), p=chances / chances.sum()))]


def shade_of(rng: Rng, codes: Sequence[str]) -> Colour:
    """Draw one of the sRGB `codes`, vary it slightly, and return its linear albedo."""
    base = np.array(finish(codes[int(rng.integers(len(codes)))]).colour)
    changed = base * np.exp(rng.normal(0, 0.1)) * np.exp(rng.normal(0, 0.03, 3))
    red, green, blue = np.clip(changed, 0.004, 0.85).round(6).tolist()
    return red, green, blue


def dye(rng: Rng, weights: Weights) -> Colour:
    """Draw a colour class by `weights`, then one of its colours."""
    return shade_of(rng, COLOURS[choice(rng, weights)])


def contrasting(rng: Rng, colour: Colour, weights: Weights) -> Colour:
    """Draw a dye that contrasts with `colour`, most often white, grey or black."""
    common = {**dict.fromkeys(weights, 5.0), "white": 25.0, "grey": 15.0, "black": 15.0}
    for _ in range(_TRIES):
        second = dye(rng, common)
        if np.abs(np.sqrt(second) - np.sqrt(colour)).sum() > _MIN_CONTRAST:
            break
    return second


def mixed(colour: Colour, other: Colour, fraction: float) -> Colour:
    """Mix `colour` with a fraction of the `other`."""
    red, green, blue = (a + fraction * (b - a) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def colour_name(colour: Colour) -> str:
    """Return the class of the nearest dye, by L2 distance with gamma 2."""
    seen = np.sqrt(colour)
    distances = {
        name: min(float(((np.sqrt(finish(code).colour) - seen) ** 2).sum()) for code in codes)
        for name, codes in COLOURS.items()
    }
    return min(distances, key=lambda name: distances[name])
