"""Colours and gloss of materials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.world import Rng


class Finish(NamedTuple):
    """Colour and gloss of a face."""

    colour: tuple[float, float, float]
    """Linear albedo, 0 to 1."""
    gloss: float = 0.05

    def shaded(self, factor: float) -> Finish:
        """Multiply the albedo by `factor`."""
        red, green, blue = (min(value * factor, 0.95) for value in self.colour)
        return Finish((red, green, blue), self.gloss)


def finish(code: str, gloss: float = 0.05) -> Finish:
    """Convert an sRGB colour such as "#c03010" to a finish."""
    red, green, blue = (_linear(int(code[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return Finish((red, green, blue), gloss)


def _linear(value: float) -> float:
    """Decode an sRGB component, 0 to 1."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def pick(rng: Rng, codes: Sequence[str], gloss: float = 0.05, spread: float = 0.15) -> Finish:
    """Pick one of the sRGB `codes`; vary its brightness by up to `spread`, its hue a little."""
    chosen = finish(codes[int(rng.integers(len(codes)))], gloss)
    factors = rng.uniform(1 - spread, 1 + spread) * rng.uniform(1 - spread / 4, 1 + spread / 4, 3)
    red, green, blue = np.clip(np.array(chosen.colour) * factors, 0, 0.9).tolist()
    return Finish((red, green, blue), gloss)


BLACK_PLASTIC = finish("#1c1c1d", 0.15)
RUBBER = finish("#19191a", 0.05)
GLASS = finish("#20262b", 0.9)
CHROME = finish("#a9adb0", 0.8)
STEEL = finish("#85888a", 0.35)
GALVANISED = finish("#9a9d9e", 0.15)
WOOD = finish("#7d5c3c", 0.08)
CONCRETE = finish("#96928a", 0.02)

PAINTS = ("#b02a22", "#1f4f8f", "#2c6a3c", "#d5b12b", "#e6e3da", "#1f2022", "#8c8f92", "#d2691e")
"""sRGB colours of painted things in a street."""
METALS = ("#3b3e40", "#24262a", "#6e7274", "#9a9d9e", "#1f3a2c")
"""sRGB colours of posts, railings and frames."""
STONES = ("#a39e94", "#8b867d", "#b5ab9b", "#77746f", "#9c7f6a")
"""sRGB colours of stone and concrete."""
SEATS = ("#1c1c1d", "#1c1c1d", "#4a3020")
"""sRGB colours of saddles."""
