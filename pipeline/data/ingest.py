"""Stage ingest: unpack a dataset's archive and list its images in a manifest."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from pipeline.data.archive import unpack
from pipeline.data.checks import check_copies, check_dataset, warn_of_sizes
from pipeline.data.datasets import DATASETS
from pipeline.data.datasets.base import Dataset, LabelledImage, Layout, find_layout
from pipeline.data.images import decode_image
from pipeline.data.manifest import COLUMNS, write_manifest
from pipeline.data.names import JUNK, SPLITS, SUFFIXES
from pipeline.data.numbering import number_labels
from pipeline.errors import InputError, some, warn
from pipeline.files import atomic_folder, write_json
from pipeline.options.data import IngestOptions


def ingest(
    archive: Path,
    images: Path,
    manifest: Path,
    record: Path,
    options: IngestOptions,
    lists: Path | None = None,
    required_splits: list[str] | None = None,
) -> None:
    """Unpack a dataset (zip, tar, tar.gz or a folder) and list its images in a manifest.

    `record` (JSON) has `numbers`: the number of each named identity and camera. `lists` is a folder
    with the lists of names that define some datasets. A user's own images may lack the splits that
    are not in `required_splits`. Junk (identity -1) is unpacked but not listed; distractors
    (identity 0) stay in the gallery. Paths are relative to the dataset's layout.
    Raises InputError, and leaves neither images nor manifest, for what `unpack` refuses, names that
    do not parse, images that do not decode (all are named at once) and failed checks.
    """
    dataset = DATASETS[options.dataset]
    if dataset.terms:
        print(f"{dataset.title}: {dataset.terms}")
    if archive.suffix.lower() == ".mat":
        raise InputError(
            f"{archive}: found a MATLAB file, expected {dataset.archive}: {dataset.advice}"
        )
    if archive.is_file():
        _compare_hashes(archive, dataset)
    with atomic_folder(images) as folder, _errors_name(archive):
        unpack(archive, folder)
        layout = _strip_top_folder(folder, dataset)
        if lists and dataset.select:
            dataset.select(folder, lists, options.checks)
        labelled, numbers = number_labels(layout.read(folder))
        listed = [image for image in labelled if image.label.identity != JUNK]
        table = _describe(folder, listed)
        expected = options.expected or dataset.counts
        check_dataset(table, expected, dataset.cameras, options.checks, required_splits or [])
        # users cannot correct the copies in a published dataset
        check_copies(table, "warn" if dataset.counts else options.checks)
        unused = _unused(folder, {*layout.names, *(image.path for image in labelled)})
        write_manifest(manifest, table)
        write_json(record, {"numbers": numbers})
    print(f"{manifest}: {_summary(table)}; ignored {len(labelled) - len(listed)} junk images (-1)")
    for kind, names in numbers.items():
        print(f"{record}: numbered {len(names)} names of {kind}: see numbers.{kind}")
    if unused:
        print(f"{manifest}: not part of {dataset.title}: {some(unused)}")


@contextmanager
def _errors_name(archive: Path) -> Iterator[None]:
    """Begin each InputError of the block with the archive's path."""
    try:
        yield
    except InputError as error:
        known = str(error).startswith(str(archive))
        raise InputError(str(error) if known else f"{archive}: {error}") from None


def _compare_hashes(archive: Path, dataset: Dataset) -> None:
    """Warn if a hash differs: third parties report the hashes, not the authors."""
    for algorithm, reported in dataset.reported.items():
        with open(archive, "rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
        if found != reported:
            warn(
                f"{archive}: found {algorithm} {found}, third parties report {reported} for "
                f"{dataset.title}: continuing, the content is checked"
            )


def _strip_top_folder(folder: Path, dataset: Dataset) -> Layout:
    """Move the dataset's layout to the top of `folder`; returns the layout."""
    top, layout = find_layout(folder, dataset)
    if top != folder:
        aside = folder.with_name(f"{folder.name}-top")
        top.rename(aside)
        shutil.rmtree(folder)
        aside.rename(folder)
    return layout


def _unused(folder: Path, used: set[str]) -> list[str]:
    """Count the files that no split uses, by folder: `17 images in whole_body_images`."""
    found = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    others = Counter(
        (
            "images" if path.suffix.lower().lstrip(".") in SUFFIXES else "other files",
            path.parts[0] if len(path.parts) > 1 else "the top folder",
        )
        for path in found
        if path.as_posix() not in used
    )
    return [f"{number} {kind} in {place}" for (kind, place), number in sorted(others.items())]


def _describe(folder: Path, images: list[LabelledImage]) -> pd.DataFrame:
    """Return the manifest's rows; decodes every image completely."""
    errors: list[str] = []
    rows = list(_rows(folder, images, errors))
    if errors:
        raise InputError(f"{len(errors)} images cannot be read:\n  " + some(errors, "\n  "))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    warn_of_sizes(table)
    return table


def _rows(
    folder: Path, images: list[LabelledImage], errors: list[str]
) -> Iterator[tuple[object, ...]]:
    """Yield the row of each image; appends to `errors` for those that do not decode."""
    for image in tqdm(images, desc="check images", mininterval=5, dynamic_ncols=True):
        data = (folder / image.path).read_bytes()
        try:
            height, width, _ = decode_image(data, image.path).shape
        except InputError as error:
            errors.append(str(error))
            continue
        digest = hashlib.sha256(data).hexdigest()
        yield image.path, *image.label, image.split, width, height, digest


def _summary(table: pd.DataFrame) -> str:
    parts = (table[table["split"] == split] for split in SPLITS)
    return ", ".join(
        f"{split} {len(part)} images of {part['identity'].nunique()} identities"
        for split, part in zip(SPLITS, parts, strict=True)
        if len(part)
    )
