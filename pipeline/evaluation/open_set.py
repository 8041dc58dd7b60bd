"""Stage: tell whether two images show the same person, instead of ranking the gallery.

Verification accepts a pair by its similarity; open-set identification accepts the best image of a
search, also for people who are not in the gallery. Both have a threshold, at false-positive rates
that are small.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import InputError, no_match
from pipeline.evaluation.features import (
    check_finite,
    check_people,
    feature_names,
    labels_of,
    read_features,
)
from pipeline.evaluation.operating import (
    OperatingPoint,
    Scores,
    operating_points,
    sample_people,
    threshold_at,
)
from pipeline.evaluation.pairs import CameraPair, Embedded, PairScores, embedded, score_pairs
from pipeline.evaluation.result import result_header
from pipeline.evaluation.searches import SearchScores, score_searches
from pipeline.files import write_json

SEARCH_RATE = 1e-3
"""False-positive rate of the threshold that is stored for use."""
CURVE = tuple(float(f"{rate:.3g}") for rate in np.logspace(-5, 0, 51))
"""False-positive rates of the curves."""


def open_set(features: Path, record: Path, report: Path, dataset: str) -> None:
    """Measure a run on `dataset` as a verifier and in open-set identification.

    Reads the features file and the run's record, and writes `report` (JSON): `threshold`, the
    cosine similarity of `feature` from which two images show the same person at the false-positive
    rate `SEARCH_RATE` (null: too few pairs to tell), `verification` and `identification`. Rates are
    in 0..1. Raises InputError if no query has a match or a feature is not finite.
    """
    arrays = read_features(features)
    feature = feature_names(arrays)[0]
    try:
        query, gallery = _images(arrays, feature)
        pairs, by_camera = score_pairs(query, gallery)
        if not pairs.positives.total:
            raise InputError(no_match(len(query.features)))
    except InputError as error:
        raise InputError(f"{features}: {error}") from None
    verification = _verification(pairs, by_camera)
    write_json(
        report,
        {
            **result_header(record, dataset),
            "feature": feature,
            "threshold": threshold_at(pairs.negatives, SEARCH_RATE),
            "false_positive_rate": SEARCH_RATE,
            "verification": verification,
            "identification": _identification(score_searches(query, gallery), verification),
        },
    )


def _images(arrays: dict[str, np.ndarray], feature: str) -> tuple[Embedded, Embedded]:
    """Return the queries and the gallery."""
    splits = ("query", "gallery")
    query, gallery = (arrays[f"{split}_{feature}"] for split in splits)
    labels = [labels_of(arrays, split) for split in splits]
    check_people(labels[0], "query")
    check_finite(query)
    check_finite(gallery)
    return embedded(query, labels[0]), embedded(gallery, labels[1])


def _verification(pairs: PairScores, by_camera: dict[CameraPair, PairScores]) -> dict[str, Any]:
    weights = sample_people(len(pairs.positives.totals))
    return {
        **_pair_counts(pairs),
        "people": len(pairs.positives.totals),
        "equal_error_rate": round(equal_error_rate(pairs), 6),
        "points": _points(pairs.positives, pairs.negatives, (weights, weights)),
        "curve": curve(pairs.positives, pairs.negatives),
        "camera_pairs": [
            {
                "query_camera": cameras.query,
                "gallery_camera": cameras.gallery,
                **_pair_counts(scores),
                "points": _points(scores.positives, scores.negatives, (weights, weights)),
            }
            for cameras, scores in by_camera.items()
        ],
    }


def _pair_counts(pairs: PairScores) -> dict[str, int]:
    return {"positives": pairs.positives.total, "negatives": pairs.negatives.total}


def _identification(searches: SearchScores, verification: dict[str, Any]) -> dict[str, Any] | None:
    """Return the rates of searches; None if everybody in the gallery has a query."""
    known, unknown, gallery = searches
    if not unknown.total:
        return None
    weights = sample_people(len(known.totals)), sample_people(len(unknown.totals), stream=1)
    thresholds = {point["rate"]: point["threshold"] for point in verification["points"]}
    return {
        "known": known.total,
        "unknown": unknown.total,
        "gallery": gallery,
        "points": _points(known, unknown, weights),
        "curve": curve(known, unknown),
        "at_verification_thresholds": [
            {
                "rate": rate,
                "threshold": threshold,
                "fpr": round(unknown.rate(threshold), 6),
                "tpr": round(known.rate(threshold), 6),
            }
            for rate, threshold in thresholds.items()
            if threshold is not None
        ],
    }


def _points(
    positives: Scores, negatives: Scores, weights: tuple[np.ndarray, np.ndarray]
) -> list[dict[str, Any]]:
    return [_rounded(point) for point in operating_points(positives, negatives, weights)]


def _rounded(point: OperatingPoint) -> dict[str, Any]:
    """Return a point for JSON: all but the threshold, which must be exact, have six digits."""
    rates = {
        name: value if value is None else round(value, 6)
        for name, value in point._asdict().items()
        if name != "threshold"
    }
    return {"threshold": point.threshold, **rates}


def curve(positives: Scores, negatives: Scores) -> dict[str, list[float]]:
    """Return the true-positive rate at each false-positive rate of `CURVE` that can be measured."""
    thresholds = {rate: threshold_at(negatives, rate) for rate in CURVE}
    found = {rate: each for rate, each in thresholds.items() if each is not None}
    return {
        "fpr": [*found],
        "tpr": [round(positives.rate(each), 6) for each in found.values()],
    }


def equal_error_rate(pairs: PairScores) -> float:
    """Return the error rate where as many positives are missed as negatives are accepted.

    Thresholds are the edges of the histogram.
    """
    accepted, false = (np.cumsum(scores.histogram[::-1])[::-1] / scores.total for scores in pairs)
    nearest = np.argmin(np.abs(1 - accepted - false))
    return float((1 - accepted + false)[nearest] / 2)
