"""What must hold of a dataset before it is used."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import pandas as pd

from pipeline.data.manifest import SPLITS
from pipeline.errors import InputError
from pipeline.options import SplitCounts

SHOWN = 10


def warn(message: str) -> None:
    """Say loudly, on stderr, what looks wrong but does not stop the work."""
    print(f"warning: {message}", file=sys.stderr)


def some(values: Sequence[object], separator: str = ", ") -> str:
    """The first ten values, and how many more there are."""
    shown = separator.join(str(value) for value in values[:SHOWN])
    rest = len(values) - SHOWN
    return f"{shown}{separator}and {rest} more" if rest > 0 else shown


def check_dataset(
    table: pd.DataFrame,
    expected: Mapping[str, SplitCounts] | None,
    severity: Literal["error", "warn"],
    name: str,
) -> None:
    """Check a manifest's rows as a whole; `name` is how messages call the dataset.

    Raises InputError for an empty split and for people who are in both the training and the test
    set. Counts other than `expected` and training identities with one image raise InputError or,
    with `severity` warn, are said on stderr. A query of nobody in the gallery is always a warning.
    """
    identities = {split: set(table["identity"][table["split"] == split]) for split in SPLITS}
    if empty := [split for split in SPLITS if not identities[split]]:
        raise InputError(f"{name}: expected images in every split, found none in {some(empty)}")
    _check_disjoint(identities, name)
    problems = [*_counts(table, expected or {}), *_single_images(table)]
    if problems and severity == "error":
        advice = "set data.checks to warn if the dataset was changed on purpose"
        raise InputError(f"{name}: {'; '.join(problems)}: {advice}")
    for problem in problems:
        warn(f"{name}: {problem}")
    if lost := sorted(identities["query"] - identities["gallery"]):
        warn(f"{name}: {len(lost)} query identities are not in the gallery: {some(lost)}")


def _check_disjoint(identities: Mapping[str, set[int]], name: str) -> None:
    shared = sorted(identities["train"] & (identities["query"] | identities["gallery"]))
    if shared:
        raise InputError(
            f"{name}: expected different people in training and test, found {len(shared)} "
            f"identities in both: {some(shared)}"
        )


def _counts(table: pd.DataFrame, expected: Mapping[str, SplitCounts]) -> Iterable[str]:
    for split, counts in expected.items():
        part = table[table["split"] == split]
        images, identities = len(part), part["identity"].nunique()
        if (images, identities) != (counts.images, counts.identities):
            yield (
                f"{split}: expected {counts.images} images of {counts.identities} identities, "
                f"found {images} of {identities}"
            )


def _single_images(table: pd.DataFrame) -> Iterable[str]:
    sizes = table[table["split"] == "train"].groupby("identity").size()
    if single := sorted(sizes.index[sizes == 1]):
        yield (
            f"train: expected at least 2 images of each identity, found {len(single)} with one: "
            f"{some(single)}"
        )
