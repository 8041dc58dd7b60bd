"""Fabrics of clothes: colours, patterns, seams and fastenings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.world.noise import volume_noise

Colour = tuple[float, float, float]

TRUNK, SLEEVE, LEG, RIGID = 0.0, 1.0, 2.0, 3.0
"""Zones of cloth: the third texture coordinate."""

_SOFT = np.float32(0.008)  # metres: soft edge of a bar, about a pixel
_LINE = np.float32(0.005)  # metres: half the width of a line
_BAND = np.float32(0.05)  # metres: height of ribs at hem and cuffs
_DARK = 0.06  # sum of the channels: on darker cloth, trims are lighter than the cloth


@dataclass(frozen=True)
class Fabric:
    """Cloth; texture coordinates: metres around from the front, metres along, zone."""

    colour: Colour
    second: Colour | None = None
    pattern: str = "plain"
    scale: float = 0.05
    """Period of stripes and checks or size of a print, in metres."""
    grain: float = 0.08
    """Strength of the fine noise."""
    gloss: float = 0.0
    seed: int = 0
    trim: str = "none"
    """Kind of seams and fastenings, or "none"; see `trim_strength`."""
    length: float = 1.0
    """Length of the garment from its first to its last ring, in metres."""

    def albedo(self, uvw: np.ndarray) -> np.ndarray:
        """Return the linear albedo (P, 3) float32 at texture coordinates (P, 3)."""
        base = np.array(self.colour, np.float32)
        albedo = np.broadcast_to(base, (len(uvw), 3))
        if self.second is not None and self.pattern != "plain":
            amount = _PATTERNS[self.pattern](uvw, self.scale, self.seed)
            albedo = albedo + amount[:, None] * (np.array(self.second, np.float32) - base)
        noise = volume_noise(uvw * np.float32(150) + np.float32(self.seed % 64))
        light = 1 + np.float32(self.grain) * noise
        if self.trim != "none":
            step = -0.45 if sum(self.colour) > _DARK else 0.9
            light = light * (1 + np.float32(step) * trim_strength(self.trim, uvw, self.length))
        return albedo * light[:, None]


def _bars(values: np.ndarray, period: float, width: float) -> np.ndarray:
    """Return (P,): 1 on soft-edged bars, a fraction `width` of each `period` in metres."""
    period_ = np.float32(period)
    middle = np.abs(values % period_ - period_ / 2)
    return np.clip((np.float32(width * period / 2) - middle) / _SOFT + np.float32(0.5), 0, 1)


def _stripes(uvw: np.ndarray, scale: float, seed: int) -> np.ndarray:
    return _bars(uvw[:, 1], scale, 0.3 + 0.1 * (seed % 4))


def _checks(uvw: np.ndarray, scale: float, seed: int) -> np.ndarray:
    across, along = (_bars(uvw[:, axis], scale, 0.5) for axis in (0, 1))
    return np.float32(0.5) * (across + along)


def _print(uvw: np.ndarray, scale: float, seed: int) -> np.ndarray:
    """Return 1 on a motif of random bars and discs, on the chest or the back."""
    rng = np.random.default_rng(seed)
    behind = rng.random() < 0.2
    half = np.float32(0.5 * uvw[:, 0].max(initial=0.45)) if behind else np.float32(0)
    x = (np.abs(uvw[:, 0]) - 2 * half if behind else uvw[:, 0]) / np.float32(scale)
    y = (uvw[:, 1] - np.float32(0.27)) / np.float32(scale)
    shown = np.zeros(len(uvw), bool)
    for _ in range(rng.integers(2, 6)):
        at_x, at_y, wide, high = rng.uniform([-0.3, -0.4, 0.1, 0.05], [0.3, 0.4, 0.5, 0.2])
        if rng.random() < 0.6:
            shown |= (np.abs(x - at_x) < wide) & (np.abs(y - at_y) < high)
        else:
            shown |= (x - at_x) ** 2 + (y - at_y) ** 2 < (wide / 2) ** 2
    on_motif = (np.abs(x) < 0.5) & (np.abs(y) < 0.6) & (uvw[:, 2] == TRUNK)
    return (shown & on_motif).astype(np.float32)


def _blocks(uvw: np.ndarray, scale: float, seed: int) -> np.ndarray:
    """Return 1 above or below a line, or on the sleeves."""
    trunk = uvw[:, 2] == TRUNK
    kind = seed % 3
    if kind == 0:
        return (~trunk).astype(np.float32)
    over = uvw[:, 1] < np.float32(scale)
    return (trunk & (over if kind == 1 else ~over)).astype(np.float32)


def _melange(uvw: np.ndarray, scale: float, seed: int) -> np.ndarray:
    return np.clip(0.3 + 0.08 * volume_noise(uvw * np.float32(420)), 0, 1)


_PATTERNS = {
    "stripes": _stripes,
    "checks": _checks,
    "print": _print,
    "blocks": _blocks,
    "melange": _melange,
}


def trim_strength(kind: str, uvw: np.ndarray, length: float) -> np.ndarray:
    """Return (P,) float32: 1 on the lines of this kind of trim, 0 beside them, below 0 if faded.

    `uvw` (P, 3): metres around from the front, metres along, zone; `length` of the garment in
    metres.
    """
    return _TRIMS[kind](uvw, np.float32(length))


def _line(distance: np.ndarray, half: np.float32 = _LINE) -> np.ndarray:
    return np.clip(1.5 - np.abs(distance) / half, 0, 1)


def _between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return (values > low) & (values < high)


def _knitted(uvw: np.ndarray, length: np.float32) -> np.ndarray:
    """Ribs at hem, cuffs and neck."""
    along, on_trunk = uvw[:, 1], uvw[:, 2] == TRUNK
    to_hem = np.where(on_trunk, length - along, along)
    band = (to_hem < _BAND) | (on_trunk & (along < 0.03))
    return 0.5 * band.astype(np.float32)


def _hooded(uvw: np.ndarray, length: np.float32) -> np.ndarray:
    """Ribs and a front pouch."""
    around, along = np.abs(uvw[:, 0]), uvw[:, 1]
    low = length - along
    edge = np.maximum(_line(around - 0.13 + 0.4 * np.maximum(low - 0.12, 0)), _line(low - 0.24))
    pouch = edge * (_between(low, 0.07, 0.245) & (around < 0.135) & (uvw[:, 2] == TRUNK))
    return np.maximum(_knitted(uvw, length), 0.7 * pouch)


def _zipped(uvw: np.ndarray, length: np.float32) -> np.ndarray:
    """A zip, slanted pockets and ribs."""
    around, low = np.abs(uvw[:, 0]), length - uvw[:, 1]
    zipper = _line(uvw[:, 0], np.float32(0.007))
    pockets = _line(around - 0.12 - 0.35 * (0.28 - low)) * _between(low, 0.12, 0.28)
    on_trunk = uvw[:, 2] == TRUNK
    return np.maximum(np.maximum(zipper, pockets) * on_trunk, 0.5 * _knitted(uvw, length))


def _buttoned(uvw: np.ndarray, length: np.float32) -> np.ndarray:
    """An edge with buttons, and pockets with flaps."""
    around, along = uvw[:, 0], uvw[:, 1]
    edge = 0.7 * _line(around - 0.025)
    rows = (along % np.float32(0.1) - np.float32(0.05)) ** 2
    buttons = np.clip(2 - (around**2 + rows) / np.float32(0.009**2), 0, 1)
    aside = np.abs(around)
    flap = _line(along - 0.5) * _between(aside, 0.08, 0.2)
    return np.maximum(np.maximum(edge, buttons), flap) * (uvw[:, 2] == TRUNK)


def _placket(uvw: np.ndarray, length: np.float32) -> np.ndarray:
    """The buttoned edge of a shirt."""
    around = uvw[:, 0]
    edge = 0.5 * np.maximum(_line(around - 0.018), _line(around + 0.018))
    collar = _line(uvw[:, 1] - 0.04)
    return np.maximum(edge, 0.6 * collar) * (uvw[:, 2] == TRUNK)


def _denim(uvw: np.ndarray, length: np.float32) -> np.ndarray:
    """Seams, a hem, and faded thighs."""
    around, up = uvw[:, 0], uvw[:, 1] / length
    seams = 0.4 * _line(np.abs(around) - np.float32(0.13))
    hem = 0.5 * _line(uvw[:, 1] - 0.02, np.float32(0.01))
    pale = np.clip(1 - (around / np.float32(0.09)) ** 2, 0, 1)
    pale = pale * np.clip(1 - ((up - np.float32(0.55)) / np.float32(0.25)) ** 2, 0, 1)
    return np.maximum(seams, hem) - 0.6 * pale


def _creased(uvw: np.ndarray, length: np.float32) -> np.ndarray:
    """An outer seam and a hem."""
    return 0.3 * np.maximum(_line(np.abs(uvw[:, 0]) - 0.13), _line(uvw[:, 1] - 0.02))


def _striped(uvw: np.ndarray, length: np.float32) -> np.ndarray:
    """Pale stripes on the outside of sweatpants."""
    return -4 * _line(np.abs(uvw[:, 0]) - np.float32(0.13), np.float32(0.012))


_TRIMS = {
    "knitted": _knitted,
    "hooded": _hooded,
    "zipped": _zipped,
    "buttoned": _buttoned,
    "placket": _placket,
    "denim": _denim,
    "creased": _creased,
    "striped": _striped,
}
