"""What must hold of a dataset before it is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

import pandas as pd

from pipeline.data.datasets.base import Severity, complain
from pipeline.data.names import SPLITS
from pipeline.errors import InputError, some, warn
from pipeline.options.data import SplitCounts


def check_dataset(
    table: pd.DataFrame,
    expected: Mapping[str, SplitCounts],
    cameras: Set[int],
    severity: Severity,
) -> None:
    """Check a manifest's rows as a whole; empty `expected` and `cameras` are not compared.

    Raises InputError for a split without images (of `expected`, or of all three), for people who
    are in both the training and the test set, and for an image of nobody (0) outside the gallery.
    Counts or cameras other than expected and training identities with one image raise InputError
    or, with `severity` warn, are said on stderr. Queries of nobody in the gallery and people who
    were seen by one camera only are always a warning.
    """
    identities = {split: set(table["identity"][table["split"] == split]) for split in SPLITS}
    if empty := [split for split in expected or SPLITS if not identities[split]]:
        raise InputError(f"expected images in every split, found none in {some(empty)}")
    _check_people(identities)
    found = [*_counts(table, expected), *_single_images(table)]
    complain([*found, *_cameras(table, cameras)], severity)
    if lost := sorted(identities["query"] - identities["gallery"]):
        warn(f"{len(lost)} query identities are not in the gallery: {some(lost)}")
    for message in _one_camera(table):
        warn(message)


def _check_people(identities: Mapping[str, set[int]]) -> None:
    for split in ("train", "query"):
        if 0 in identities[split]:
            raise InputError(
                f"{split}: the identity 0 means nobody and may be in the gallery only: number "
                "people from 1"
            )
    shared = sorted(identities["train"] & (identities["query"] | identities["gallery"]))
    if shared:
        raise InputError(
            f"expected different people in training and test, found {len(shared)} "
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


def _cameras(table: pd.DataFrame, expected: Set[int]) -> Iterable[str]:
    found = set(table["camera"])
    if expected and found != expected:
        yield f"expected the cameras {some(sorted(expected))}, found {some(sorted(found))}"


def _one_camera(table: pd.DataFrame) -> Iterable[str]:
    """People whom one camera saw: a query of theirs finds nothing, training sees one view."""
    queried = table["identity"][table["split"] == "query"]
    parts = {
        "train": table["split"] == "train",
        "query": (table["split"] != "train") & table["identity"].isin(queried),
    }
    for split, rows in parts.items():
        seen = table[rows].groupby("identity")["camera"].nunique()
        if single := sorted(seen.index[seen == 1]):
            yield f"{split}: {len(single)} identities have one camera only: {some(single)}"
