"""Stage: from a dataset's archive to its images and their manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from tqdm import tqdm

from pipeline.cli import run_stage
from pipeline.data import market1501
from pipeline.data.archive import unpack
from pipeline.data.checks import check_dataset, some, warn
from pipeline.data.images import decode_image
from pipeline.data.manifest import COLUMNS, SPLITS, write_manifest
from pipeline.errors import InputError
from pipeline.files import atomic_folder, sha256
from pipeline.options import IngestOptions


class _File(NamedTuple):
    path: str  # below the unpacked folder, with forward slashes
    split: str
    label: market1501.Label


def ingest(archive: Path, images: Path, manifest: Path, options: IngestOptions) -> None:
    """Unpack an archive in the Market-1501 layout and list its images in a manifest.

    Junk (identity -1) is unpacked but not listed; distractors (identity 0) stay in the gallery.
    Raises InputError, and leaves neither images nor manifest, for whatever `unpack` refuses, names
    that do not parse, images that do not decode (all of them are named at once) and what
    `check_dataset` finds.
    """
    if options.dataset == "market1501" and archive.is_file():
        _compare_hashes(archive)
    facts = market1501.COUNTS if options.dataset == "market1501" else None
    with atomic_folder(images) as folder:
        unpack(archive, folder)
        files = _list_files(folder, archive)
        kept = [file for file in files if file.label.identity != market1501.JUNK]
        table = _describe(folder, kept, archive)
        check_dataset(table, options.expected or facts, options.checks, str(archive))
        write_manifest(manifest, table)
    print(f"{manifest}: {_summary(table)}; {len(files) - len(kept)} junk images (-1) dropped")


def _compare_hashes(archive: Path) -> None:
    with open(archive, "rb") as file:
        md5 = hashlib.file_digest(file, "md5").hexdigest()
    found = sha256(archive)
    if (md5, found) != (market1501.MD5, market1501.SHA256):
        warn(
            f"{archive}: others report MD5 {market1501.MD5} and SHA-256 {market1501.SHA256} for "
            f"Market-1501, found MD5 {md5} and SHA-256 {found}; going on, its content is checked"
        )


def _list_files(folder: Path, archive: Path) -> list[_File]:
    """Every file of the three split folders, sorted."""
    layout = market1501.find_layout(folder)
    if layout is None:
        top = sorted(path.name for path in folder.iterdir())
        raise InputError(
            f"{archive}: expected the folders {', '.join(market1501.FOLDERS.values())}, at the top "
            f"or in one folder, found {some(top) or 'nothing'}"
        )
    files, wrong = [], []
    for split in SPLITS:
        for path in sorted((layout / market1501.FOLDERS[split]).iterdir()):
            name = path.relative_to(folder).as_posix()
            label = market1501.parse_name(path.name)
            if label is None or not path.is_file():
                wrong.append(name)
            else:
                files.append(_File(name, split, label))
    if wrong:
        raise InputError(
            f"{archive}: expected images named {market1501.PATTERN}, found {len(wrong)} others: "
            f"{some(wrong)}: rename or remove them"
        )
    return files


def _describe(folder: Path, files: list[_File], archive: Path) -> pd.DataFrame:
    """The manifest's rows; every image is decoded to the end."""
    broken: list[str] = []
    rows = list(_rows(folder, files, broken))
    if broken:
        raise InputError(
            f"{archive}: {len(broken)} images cannot be read:\n  " + some(broken, "\n  ")
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(folder: Path, files: list[_File], broken: list[str]) -> Iterator[tuple[object, ...]]:
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
    )


if __name__ == "__main__":
    run_stage(ingest)
