"""Operating points: thresholds on the similarity at given false-positive rates, with intervals.

A score is accepted if it is at least the threshold. At a rate r of N negatives, the threshold is
the lowest float32 that accepts at most r * N of them, exactly and with ties; it is undefined if
r * N is below 1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

RATES = (1e-2, 1e-3, 1e-4)
"""False-positive rates of the operating points."""
TAIL = 0.03
"""Fraction of the negatives that is kept: more than the largest rate, for resamples with more
negatives above a threshold."""
BINS = 4000
"""Bins of the histogram of all negatives, over similarities from -1 to 1."""
RESAMPLES, SEED, LEVEL = 1000, 0, 0.95
"""Number of resamples, their random seed, and the level of the intervals."""
CANDIDATES = 256
"""Thresholds that a resample chooses from, at most."""


class Scores(NamedTuple):
    """Similarities of pairs, each of a query of one of P people."""

    values: np.ndarray
    """(N,) float32 in -1..1, or -inf for a pair that is never accepted; the best first."""
    people: np.ndarray
    """(N,) int32 in 0..P-1: the person of the query."""
    totals: np.ndarray
    """(P,) int64: pairs of each person, also those that `values` lacks."""
    histogram: np.ndarray
    """(BINS,) int64: all pairs, by similarity."""

    @property
    def total(self) -> int:
        """Number of pairs."""
        return int(self.totals.sum())

    def rate(self, threshold: float) -> float:
        """Return the fraction of pairs that a threshold accepts; all of these are in `values`."""
        return float((self.values >= threshold).sum() / self.total)


class OperatingPoint(NamedTuple):
    """A threshold, and the true-positive rate that it gives, with its interval at `LEVEL`."""

    rate: float
    """The false-positive rate is at most this."""
    threshold: float | None
    """None: too few negatives to tell."""
    tpr: float | None
    low: float | None
    high: float | None


def threshold_at(negatives: Scores, rate: float) -> float | None:
    """Return the lowest threshold that accepts at most `rate` of the negatives.

    Beyond the kept tail it is the lowest edge of the histogram that does. None for less than one
    negative.
    """
    allowed = math.floor(rate * negatives.total * (1 + 1e-12))  # 0.01 * 700 is below 7
    if allowed < 1:
        return None
    if allowed < len(negatives.values):
        return float(np.nextafter(negatives.values[allowed], np.float32(np.inf)))
    above = np.cumsum(negatives.histogram[::-1])[::-1]  # pairs at or above each lower edge
    return float(bin_edges()[np.argmax(above <= allowed)]) if above[-1] <= allowed else None


def bin_edges() -> np.ndarray:
    """Return the edges of the histogram, (BINS + 1,) float64."""
    return np.linspace(-1, 1, BINS + 1)


def operating_points(
    positives: Scores, negatives: Scores, weights: tuple[np.ndarray, np.ndarray]
) -> list[OperatingPoint]:
    """Compute the operating points at `RATES`; `weights` are resamples of the people of each."""
    intervals = _intervals(positives, negatives, weights)
    points = []
    for rate, (low, high) in zip(RATES, intervals, strict=True):
        threshold = threshold_at(negatives, rate)
        if threshold is None or not positives.total:
            points.append(OperatingPoint(rate, threshold, None, None, None))
        else:
            points.append(
                OperatingPoint(rate, threshold, positives.rate(threshold), float(low), float(high))
            )
    return points


def sample_people(people: int, stream: int = 0) -> np.ndarray:
    """Resample people `RESAMPLES` times: how often each is drawn, (RESAMPLES, P) float64.

    People are resampled, not queries: queries of one person are correlated. Two `stream`s are
    independent; the same one always gives the same resamples.
    """
    generator = np.random.default_rng((SEED, stream))
    return generator.multinomial(people, np.full(people, 1 / people), RESAMPLES) * 1.0


def _intervals(
    positives: Scores, negatives: Scores, weights: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return the ends of the interval of the true-positive rate at each of `RATES`, (R, 2).

    Each resample has a threshold of its own.
    """
    candidates = _candidates(negatives.values)
    if not len(candidates) or not positives.total:
        return np.full((len(RATES), 2), np.nan)
    accepted, total = _resample(positives, candidates, weights[0])
    false, all_false = _resample(negatives, candidates, weights[1])
    rates = np.full((len(RATES), RESAMPLES), np.nan)
    for row, rate in zip(rates, RATES, strict=True):
        last = np.maximum((false <= rate * all_false[:, None]).sum(axis=1) - 1, 0)
        found = np.take_along_axis(accepted, last[:, None], axis=1)[:, 0]
        np.divide(found, total, out=row, where=total > 0)
    return np.nanquantile(rates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1).T


def _candidates(values: np.ndarray) -> np.ndarray:
    """Return scores at evenly spaced logarithms of their rank, the largest first."""
    if len(values) <= CANDIDATES:
        return values
    ranks = np.geomspace(1, len(values), CANDIDATES)
    return values[np.unique(ranks.round().astype(int)) - 1]


def _resample(
    scores: Scores, candidates: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Count the pairs above each candidate in each resample, (B, K), and all pairs, (B,)."""
    present = np.flatnonzero(scores.totals)
    columns = len(candidates) + 1
    # a score is counted from the first candidate that is below it
    first = np.searchsorted(-candidates, -scores.values, side="right")
    cells = scores.people.astype(np.int64) * columns + first
    counts = np.bincount(cells, minlength=len(scores.totals) * columns)
    above = counts.reshape(-1, columns)[present, :-1].cumsum(axis=1)
    chosen = weights[:, present]
    return chosen @ above.astype(float), chosen @ scores.totals[present]
