"""What must hold of a dataset before it is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

import pandas as pd

from pipeline.data.datasets.base import Severity, complain
from pipeline.data.images import LARGE
from pipeline.data.names import QUERY_SPLITS, SPLITS, TEST_SPLITS
from pipeline.errors import InputError, no_images, no_match, some, warn
from pipeline.options.data import SplitCounts

SMALL = 16
"""Pixels of a side below which an image shows hardly anybody."""


def check_dataset(
    table: pd.DataFrame,
    expected: Mapping[str, SplitCounts],
    cameras: Set[int],
    severity: Severity,
    needed: Iterable[str] = (),
) -> None:
    """Check a manifest's rows as a whole; empty `expected` and `cameras` are not compared.

    Raises InputError for a split of `expected` or `needed` without images, for a query or a gallery
    alone, for people who are in both the training and the test set, for an image of nobody (0)
    outside the gallery, and where no query of a split has a match under another camera. Counts or
    cameras other than expected and training identities with one image raise InputError or, with
    `severity` warn, are said on stderr. Queries of nobody in the gallery and people who were seen
    by one camera only are always a warning.
    """
    identities = {split: set(table["identity"][table["split"] == split]) for split in SPLITS}
    _check_splits({split for split in SPLITS if identities[split]}, {*expected, *needed})
    _check_people(identities)
    asked = [split for split in QUERY_SPLITS if identities[split]]
    for split in asked:
        _check_matches(table, split)
    found = [*_counts(table, expected), *_single_images(table)]
    complain([*found, *_cameras(table, cameras)], severity)
    for split in asked:
        if lost := sorted(identities[split] - identities["gallery"]):
            warn(f"{len(lost)} {split} identities are not in the gallery: {some(lost)}")
    for message in _one_camera(table):
        warn(message)


def _check_splits(found: Set[str], needed: Set[str]) -> None:
    """Query and gallery go together; a dataset without them must have training images."""
    if found != {"train"}:
        needed = needed | set(TEST_SPLITS)
    if empty := [split for split in SPLITS if split in needed - found]:
        raise InputError(no_images(empty))


def _check_people(identities: Mapping[str, set[int]]) -> None:
    for split in ("train", *QUERY_SPLITS):
        if 0 in identities[split]:
            raise InputError(
                f"{split}: the identity 0 means nobody and may be in the gallery only: number "
                "people from 1"
            )
    tested = set().union(*(identities[split] for split in SPLITS if split != "train"))
    shared = sorted(identities["train"] & tested)
    if shared:
        raise InputError(
            f"expected different people in training and test, found {len(shared)} "
            f"identities in both: {some(shared)}"
        )


def _check_matches(table: pd.DataFrame, split: str) -> None:
    labels = table[["split", "identity", "camera"]].drop_duplicates()
    query, gallery = (labels[labels["split"] == name] for name in (split, "gallery"))
    pairs = query.merge(gallery, on="identity")
    if (pairs["camera_x"] == pairs["camera_y"]).all():
        raise InputError(f"{split}: {no_match(int((table['split'] == split).sum()))}")


def check_copies(table: pd.DataFrame, severity: Severity) -> None:
    """Look for one file under several names: a training image in the test set is a problem.

    Of copies with other labels is warned: another identity, or a query's own copy in the gallery
    under another camera, which counts as a match.
    """
    leaks, people, matches = [], [], []
    doubled = table[table.duplicated("sha256", keep=False)]
    for _, rows in doubled.groupby("sha256", sort=False):
        names = " = ".join(f"{row.path} ({row.split})" for row in rows.itertuples())
        splits = set(rows["split"])
        if "train" in splits and len(splits) > 1:
            leaks.append(names)
        elif rows["identity"].nunique() > 1:
            people.append(names)
        elif rows["camera"].nunique() > 1 and "gallery" in splits and len(splits) > 1:
            matches.append(names)
    if leaks:
        text = f"expected no training image in the test set, found {len(leaks)}: {some(leaks)}"
        complain([text], severity)
    if people:
        warn(f"{len(people)} images are there as different people: {some(people)}")
    if matches:
        warn(
            f"{len(matches)} queries are in the gallery under another camera, and match "
            f"themselves: {some(matches)}"
        )


def warn_of_sizes(table: pd.DataFrame) -> None:
    """Warn of images too small to show anybody, and of those as large as whole photographs."""
    width, height = table["width"], table["height"]
    odd = {
        f"smaller than {SMALL} pixels": (width < SMALL) | (height < SMALL),
        f"larger than {LARGE} pixels in all, expected crops of people": width * height > LARGE,
    }
    for what, rows in odd.items():
        names = [f"{row.path} ({row.width} x {row.height})" for row in table[rows].itertuples()]
        if names:
            warn(f"{len(names)} images are {what}: {some(names)}")


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
    parts = {"train": table["split"] == "train"}
    for split in QUERY_SPLITS:
        queried = table["identity"][table["split"] == split]
        parts[split] = table["split"].isin((split, "gallery")) & table["identity"].isin(queried)
    for split, rows in parts.items():
        seen = table[rows].groupby("identity")["camera"].nunique()
        if single := sorted(seen.index[seen == 1]):
            yield f"{split}: {len(single)} identities have one camera only: {some(single)}"
