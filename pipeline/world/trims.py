"""Trims: seams, zips, buttons, pockets and ribs, as lines on cloth."""

from __future__ import annotations

import numpy as np

TRUNK, SLEEVE, LEG, RIGID = 0.0, 1.0, 2.0, 3.0
"""Zones of cloth: the third texture coordinate."""

_HALF = np.float32(0.005)  # metres: half the width of a line
_BAND = np.float32(0.05)  # metres: height of ribs at hem and cuffs


def trim_strength(kind: str, uvw: np.ndarray, length: float) -> np.ndarray:
    """Return (P,) float32: 1 on the lines of this kind of trim, 0 beside them, below 0 if faded.

    `uvw` (P, 3): metres around from the front, metres along, zone; `length` of the garment in
    metres.
    """
    return _TRIMS[kind](uvw, np.float32(length))


def _line(distance: np.ndarray, half: np.float32 = _HALF) -> np.ndarray:
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
