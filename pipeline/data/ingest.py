"""Stage: from a dataset's archive to its images and their manifest."""

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
from pipeline.data.datasets.base import Dataset, Layout, Listed, find_layout
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
    needed: list[str] | None = None,
) -> None:
    """Unpack a dataset (zip, tar, tar.gz or a folder) and list its images in a manifest.

    `record` (JSON) has `numbers`: the number of each person and camera that has a name. `lists` is
    a folder with the lists of names that some datasets are made by. `needed` are the splits that
    the experiment uses: a user's own images may lack the others. Junk (identity -1) is unpacked but
    not listed; distractors (identity 0) stay in the gallery. Paths begin where the dataset's layout
    does, however it is packed. Raises InputError, and leaves neither images nor manifest, for what
    `unpack` refuses, names that do not parse, images that do not decode (all of them are named at
    once) and what the checks find.
    """
    dataset = DATASETS[options.dataset]
    if dataset.terms:
        print(f"{dataset.title}: {dataset.terms}")
    if archive.suffix.lower() == ".mat":
        raise InputError(
            f"{archive}: expected {dataset.archive}, found a MATLAB file: {dataset.advice}"
        )
    if archive.is_file():
        _compare_hashes(archive, dataset)
    with atomic_folder(images) as folder, _naming(archive):
        unpack(archive, folder)
        layout = _settle(folder, dataset)
        if lists and dataset.select:
            dataset.select(folder, lists, options.checks)
        files, numbers = number_labels(layout.read(folder))
        kept = [file for file in files if file.label.identity != JUNK]
        table = _describe(folder, kept)
        expected = options.expected or dataset.counts
        check_dataset(table, expected, dataset.cameras, options.checks, needed or [])
        # what others published is what it is
        check_copies(table, "warn" if dataset.counts else options.checks)
        unused = _unused(folder, {*layout.names, *(file.path for file in files)})
        write_manifest(manifest, table)
        write_json(record, {"numbers": numbers})
    print(f"{manifest}: {_summary(table)}; {len(files) - len(kept)} junk images (-1) dropped")
    for kind, names in numbers.items():
        print(f"{record}: the {len(names)} names of {kind} are numbered: see numbers.{kind}")
    if unused:
        print(f"{manifest}: not part of {dataset.title}: {some(unused)}")


@contextmanager
def _naming(archive: Path) -> Iterator[None]:
    """Every complaint about the content says which archive it is about."""
    try:
        yield
    except InputError as error:
        known = str(error).startswith(str(archive))
        raise InputError(str(error) if known else f"{archive}: {error}") from None


def _compare_hashes(archive: Path, dataset: Dataset) -> None:
    """Others report these hashes, not the authors: a difference is worth a warning, no more."""
    for algorithm, reported in dataset.reported.items():
        with open(archive, "rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
        if found != reported:
            warn(
                f"{archive}: others report {algorithm} {reported} for {dataset.title}, found "
                f"{found}; going on, its content is checked"
            )


def _settle(folder: Path, dataset: Dataset) -> Layout:
    """Let the dataset's layout begin at the top of `folder`, without the folder it came in."""
    top, layout = find_layout(folder, dataset)
    if top != folder:
        aside = folder.with_name(f"{folder.name}-top")
        top.rename(aside)
        shutil.rmtree(folder)
        aside.rename(folder)
    return layout


def _unused(folder: Path, used: set[str]) -> list[str]:
    """How many files no split has, by folder: `17 images in whole_body_images`."""
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


def _describe(folder: Path, files: list[Listed]) -> pd.DataFrame:
    """The manifest's rows; every image is decoded to the end."""
    broken: list[str] = []
    rows = list(_rows(folder, files, broken))
    if broken:
        raise InputError(f"{len(broken)} images cannot be read:\n  " + some(broken, "\n  "))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    warn_of_sizes(table)
    return table


def _rows(folder: Path, files: list[Listed], broken: list[str]) -> Iterator[tuple[object, ...]]:
    for file in tqdm(files, desc="check images", mininterval=5, dynamic_ncols=True):
        data = (folder / file.path).read_bytes()
        try:
            height, width, _ = decode_image(data, file.path).shape
        except InputError as error:
            broken.append(str(error))
            continue
        digest = hashlib.sha256(data).hexdigest()
        yield file.path, *file.label, file.split, width, height, digest


def _summary(table: pd.DataFrame) -> str:
    parts = (table[table["split"] == split] for split in SPLITS)
    return ", ".join(
        f"{split} {len(part)} images of {part['identity'].nunique()} identities"
        for split, part in zip(SPLITS, parts, strict=True)
        if len(part)
    )
