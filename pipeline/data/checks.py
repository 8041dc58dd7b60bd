"""Check a dataset before it is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

import pandas as pd

from pipeline.data.datasets.base import Severity, report_problems
from pipeline.data.images import LARGE
from pipeline.data.names import DISTRACTOR, QUERY_SPLITS, SPLITS, TEST_SPLITS
from pipeline.errors import InputError, no_images, no_match, some, warn
from pipeline.options.data import SplitCounts

SMALL = 16
"""Shortest side, in pixels, of an image that can show a person."""


def check_dataset(
    table: pd.DataFrame,
    expected: Mapping[str, SplitCounts],
    cameras: Set[int],
    severity: Severity,
    required: Iterable[str] = (),
) -> None:
    """Check the rows of a manifest as a whole; empty `expected` and `cameras` allow any values.

    Always raises InputError if a split of `expected` or `required` has no images, if only one of
    query and gallery has images, if training and test share identities, if identity 0 (distractor)
    is outside the gallery, or if no query of a split has a match under another camera.
    By `severity`, raises InputError or warns if counts or cameras are not the expected ones or if a
    training identity has a single image. Only warns of query identities that are missing from the
    gallery and of identities with a single camera.
    """
    identities = {split: set(table["identity"][table["split"] == split]) for split in SPLITS}
    _check_splits({split for split in SPLITS if identities[split]}, {*expected, *required})
    _check_identities(identities)
    query_splits = [split for split in QUERY_SPLITS if identities[split]]
    for split in query_splits:
        _check_matches(table, split)
    problems = [*_count_problems(table, expected), *_single_images(table)]
    report_problems([*problems, *_camera_problems(table, cameras)], severity)
    for split in query_splits:
        if missing := sorted(identities[split] - identities["gallery"]):
            warn(f"{len(missing)} {split} identities are not in the gallery: {some(missing)}")
    for message in _single_cameras(table):
        warn(message)


def _check_splits(found: Set[str], required: Set[str]) -> None:
    """Require query and gallery, unless there are training images only."""
    if found != {"train"}:
        required = required | set(TEST_SPLITS)
    if empty := [split for split in SPLITS if split in required - found]:
        raise InputError(no_images(empty))


def _check_identities(identities: Mapping[str, set[int]]) -> None:
    for split in ("train", *QUERY_SPLITS):
        if DISTRACTOR in identities[split]:
            raise InputError(
                f"{split}: found identity {DISTRACTOR} (distractor), expected it in the gallery "
                "only: number people from 1"
            )
    tested = set().union(*(identities[split] for split in SPLITS if split != "train"))
    shared = sorted(identities["train"] & tested)
    if shared:
        raise InputError(
            f"expected different identities in training and test, found {len(shared)} in both: "
            f"{some(shared)}: remove them from one"
        )


def _check_matches(table: pd.DataFrame, split: str) -> None:
    labels = table[["split", "identity", "camera"]].drop_duplicates()
    query, gallery = (labels[labels["split"] == name] for name in (split, "gallery"))
    pairs = query.merge(gallery, on="identity")
    if (pairs["camera_x"] == pairs["camera_y"]).all():
        raise InputError(f"{split}: {no_match(int((table['split'] == split).sum()))}")


def check_copies(table: pd.DataFrame, severity: Severity) -> None:
    """Find identical files under several names.

    A training image in the test set raises InputError or, with `severity` warn, warns. Copies with
    different identities, and queries copied into the gallery under another camera, only warn.
    """
    leaks, relabelled, self_matches = [], [], []
    copies = table[table.duplicated("sha256", keep=False)]
    for _, rows in copies.groupby("sha256", sort=False):
        names = " = ".join(f"{row.path} ({row.split})" for row in rows.itertuples())
        splits = set(rows["split"])
        if "train" in splits and len(splits) > 1:
            leaks.append(names)
        elif rows["identity"].nunique() > 1:
            relabelled.append(names)
        elif rows["camera"].nunique() > 1 and "gallery" in splits and len(splits) > 1:
            self_matches.append(names)
    if leaks:
        text = f"expected no training image in the test set, found {len(leaks)}: {some(leaks)}"
        report_problems([text], severity)
    if relabelled:
        warn(f"{len(relabelled)} images have several identities: {some(relabelled)}")
    if self_matches:
        warn(
            f"{len(self_matches)} queries match themselves, by a copy in the gallery under another "
            f"camera: {some(self_matches)}"
        )


def warn_of_sizes(table: pd.DataFrame) -> None:
    """Warn of images that are too small, or too large, for crops of people."""
    width, height = table["width"], table["height"]
    unusual = {
        f"smaller than {SMALL} pixels": (width < SMALL) | (height < SMALL),
        f"larger than {LARGE} pixels in all, expected crops of people": width * height > LARGE,
    }
    for problem, rows in unusual.items():
        names = [f"{row.path} ({row.width} x {row.height})" for row in table[rows].itertuples()]
        if names:
            warn(f"{len(names)} images are {problem}: {some(names)}")


def _count_problems(table: pd.DataFrame, expected: Mapping[str, SplitCounts]) -> Iterable[str]:
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


def _camera_problems(table: pd.DataFrame, expected: Set[int]) -> Iterable[str]:
    found = set(table["camera"])
    if expected and found != expected:
        yield f"expected the cameras {some(sorted(expected))}, found {some(sorted(found))}"


def _single_cameras(table: pd.DataFrame) -> Iterable[str]:
    """Find identities with one camera: their queries have no match, training sees one view."""
    parts = {"train": table["split"] == "train"}
    for split in QUERY_SPLITS:
        queried = table["identity"][table["split"] == split]
        parts[split] = table["split"].isin((split, "gallery")) & table["identity"].isin(queried)
    for split, rows in parts.items():
        seen = table[rows].groupby("identity")["camera"].nunique()
        if single := sorted(seen.index[seen == 1]):
            yield f"{split}: {len(single)} identities have one camera only: {some(single)}"
