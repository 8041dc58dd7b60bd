"""The similarity from which a run takes two pictures for the same person."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pipeline.errors import InputError
from pipeline.files import read_json, sha256

REPORT = "open_set.json"
"""The file of a run that states it (see `pipeline.evaluation.open_set`)."""


class Threshold(NamedTuple):
    """A threshold on the cosine similarity of a pair of pictures."""

    similarity: float
    """Pairs of at least this similarity are accepted as one person."""
    false_positive_rate: float
    """Fraction of the pairs of two people that it accepts, at most."""
    dataset: str
    """The test set on which the rate was measured, over pairs from different cameras."""


def read_threshold(run: Path, feature: str) -> Threshold | None:
    """Read the threshold of a run's `feature`; None if the run has no report or no threshold.

    Raises InputError for a damaged report and for that of another training or feature.
    """
    path = run / REPORT
    if not path.is_file():
        return None
    try:
        report = read_json(path)
        of_run, of_feature = report["run"], report["feature"]
        values = report["threshold"], report["false_positive_rate"], report["dataset"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: expected the output of the stage open_set, found {error!r}: run open_set "
            "again"
        ) from None
    if (of_run, of_feature) != (sha256(run / "run.json"), feature):
        raise InputError(
            f"{path}: found the threshold of another training or feature ({of_feature}), expected "
            f"that of {run / 'run.json'} and {feature}: run open_set again"
        )
    return None if values[0] is None else Threshold(*values)
