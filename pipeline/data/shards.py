"""WebDataset shards with an index: read at random here, and streamed by stock webdataset.

A shard is a plain tar of `<key>.<suffix>` (the original encoded bytes) and `<key>.json` pairs.
Beside the tars, index.csv has the offset of each image in its tar, and shards.json the hashes of
the folder's files.
"""

from __future__ import annotations

import hashlib
import io
import json
import mmap
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.data.images import decode_image
from pipeline.data.manifest import read_manifest
from pipeline.data.names import SPLITS, SUFFIXES
from pipeline.errors import InputError
from pipeline.files import atomic_file, atomic_folder, read_json, sha256, write_json

INDEX = "index.csv"
HASHES = "shards.json"
PER_SHARD = 1000
"""Images of a shard."""
TARS = 100
"""Largest number of shards of a split: 4 million images of 20 kB give shards of 0.8 GB."""
_LOCATION = {
    "shard": "category",  # a number instead of a text for each of millions of images
    "key": "str",
    "suffix": "category",
    "offset": "int64",
    "size": "int64",
}
"""The columns of the index that locate an image, and their types."""


class Sample(NamedTuple):
    """An encoded image with its metadata, as a shard stores it."""

    key: str
    suffix: str
    data: bytes
    meta: Mapping[str, int | float | str]


def write_shards(
    folder: Path, name: str, samples: Iterable[Sample], per_shard: int = PER_SHARD
) -> list[dict[str, Any]]:
    """Write `samples` into tars `<name>-000000.tar`, ... in an existing folder.

    Returns the rows of the index: shard, key, suffix, offset and size of the image's data in the
    tar (bytes), and the sample's meta. The same samples give the same bytes. Raises InputError for
    keys that are empty, contain `.` or `/`, or repeat. The caller makes the folder atomic.
    """
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    stream = iter(samples)
    number = 0
    while batch := list(islice(stream, per_shard)):
        shard = f"{name}-{number:06d}.tar"
        with tarfile.open(folder / shard, "w", format=tarfile.GNU_FORMAT) as tar:
            for sample in batch:
                _check(sample, seen, shard)
                offset = _add(tar, f"{sample.key}.{sample.suffix}", sample.data)
                meta = json.dumps(dict(sample.meta), sort_keys=True, ensure_ascii=False)
                _add(tar, f"{sample.key}.json", meta.encode())
                location = (shard, sample.key, sample.suffix, offset, len(sample.data))
                rows.append({**dict(zip(_LOCATION, location, strict=True)), **sample.meta})
        number += 1
    return rows


def _check(sample: Sample, seen: set[str], shard: str) -> None:
    prefix = f"{shard}: key {sample.key!r}"
    if not sample.key or set(sample.key) & set("./\\"):
        raise InputError(f"{prefix}: expected a name without dots and slashes: rename the file")
    if sample.key in seen:
        raise InputError(f"{prefix}: found twice, expected unique keys: rename one file")
    if sample.suffix not in SUFFIXES:
        allowed = ", ".join(sorted(SUFFIXES))
        raise InputError(
            f"{prefix}: found suffix {sample.suffix!r}, expected one of {allowed}: rename the file"
        )
    if reserved := set(sample.meta) & set(_LOCATION):
        raise InputError(f"{prefix}: found meta {sorted(reserved)}, which the index uses: rename")
    seen.add(sample.key)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> int:
    """Append a member with a fixed header; returns the offset of its data in the tar (bytes)."""
    member = tarfile.TarInfo(name)  # time 0, owner 0, mode 0644
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
    padded = -(-len(data) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    return tar.offset - padded


def write_index(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Write index.csv (one row per image) and shards.json.

    shards.json has {sha256, bytes} of each file in the folder, and the number of samples of a tar.
    """
    table = pd.DataFrame(rows)
    with atomic_file(folder / INDEX) as partial:
        table.to_csv(partial, index=False, lineterminator="\n", encoding="utf-8")
    counts = table["shard"].value_counts().to_dict() if rows else {}
    files = {path.name: _hash_and_size(path) for path in folder.iterdir() if path.is_file()}
    for tar, samples in counts.items():
        files[tar]["samples"] = int(samples)
    write_json(folder / HASHES, files)


def _hash_and_size(path: Path) -> dict[str, Any]:
    return {"sha256": sha256(path), "bytes": path.stat().st_size}


def read_hashes(folder: Path) -> dict[str, dict[str, Any]]:
    """Read shards.json: {sha256, bytes} of each file; InputError if it is missing or damaged."""
    try:
        files = read_json(folder / HASHES)
        if INDEX not in files or not all("sha256" in facts for facts in files.values()):
            raise KeyError(INDEX)
        return dict(files)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            f"{folder / HASHES}: expected the hashes of the folder's files, found none: make the "
            "shards again"
        ) from None


def split_names(folder: Path) -> set[str]:
    """Return the splits that have images in a folder of shards; InputError as `read_hashes`."""
    return {name.rpartition("-")[0] for name in read_hashes(folder) if name.endswith(".tar")}


def verify(folder: Path) -> None:
    """Check the size and hash of every file of `folder` against shards.json.

    Raises InputError for the first file that is missing or changed.
    """
    for name, facts in sorted(read_hashes(folder).items()):
        file = folder / name
        if not file.is_file():
            raise InputError(f"{file}: missing, but listed in {HASHES}: make the shards again")
        size = file.stat().st_size
        if size != facts["bytes"]:
            raise InputError(
                f"{file}: expected {facts['bytes']} bytes, found {size}: make the shards again"
            )
        found = sha256(file)
        if found != facts["sha256"]:
            raise InputError(
                f"{file}: expected SHA-256 {facts['sha256']}, found {found}: make the shards again"
            )


def _read_index(folder: Path, name: str) -> pd.DataFrame:
    """Verify the shards and return the index rows of `<name>-*.tar`, in the order of writing."""
    verify(folder)
    table = pd.read_csv(folder / INDEX, dtype=_LOCATION, keep_default_na=False)
    own = [tar for tar in table["shard"].cat.categories if tar.rpartition("-")[0] == name]
    table = table[table["shard"].isin(own)].reset_index(drop=True)
    table["shard"] = table["shard"].cat.remove_unused_categories()
    if table.empty:
        raise InputError(f"{folder}: found no shards {name}-*.tar: add images of the split {name}")
    return table


class ShardReader:
    """Random access to the images of one split, without unpacking the tars.

    `index` has the split's rows of index.csv, in order: shard, key, suffix, offset, size and the
    meta columns. The constructor verifies the folder's hashes and raises InputError if a file is
    missing or changed. Each process maps the tars into memory on first use, so a reader can be
    pickled and sent to workers.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self.index = _read_index(folder, name)
        # arrays: a list of millions of tuples takes a gigabyte
        shards = self.index["shard"].cat
        self._tar_of, self._tars = shards.codes.to_numpy(), shards.categories.tolist()
        self._offsets = self.index["offset"].to_numpy()
        self._sizes = self.index["size"].to_numpy()
        # columns: pandas takes longer to select a row than to read its image
        self._keys, self._suffixes = self.index["key"].array, self.index["suffix"].array
        self._maps: dict[str, mmap.mmap] = {}

    def __len__(self) -> int:
        return len(self.index)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_maps": {}}  # memory maps cannot be pickled

    def read(self, i: int) -> bytes:
        """Return the encoded bytes of image `i`, unchanged since ingest."""
        offset = self._offsets[i]
        return self._map(self._tars[self._tar_of[i]])[offset : offset + self._sizes[i]]

    def image(self, i: int) -> np.ndarray:
        """Decode image `i`; returns (H, W, 3) uint8 RGB."""
        name = f"{self._tars[self._tar_of[i]]}: {self._keys[i]}.{self._suffixes[i]}"
        return decode_image(self.read(i), name)

    def _map(self, shard: str) -> mmap.mmap:
        if shard not in self._maps:
            with open(self.folder / shard, "rb") as file:
                self._maps[shard] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._maps[shard]


def shard(images: Path, manifest: Path, shards: Path) -> None:
    """Stage shard: pack the images of a manifest into shards named after their splits.

    Images are sorted by identity and path; meta is identity and camera; keys are those of
    `image_keys`. A shard has `PER_SHARD` images, or more if there would be over `TARS` of a split.
    A split without images has no shards. Raises InputError if an image is missing or has changed
    since ingest.
    """
    table = read_manifest(manifest)
    rows: list[dict[str, Any]] = []
    with atomic_folder(shards) as folder:
        for split in SPLITS:
            part = table[table["split"] == split].sort_values(["identity", "path"])
            per_shard = max(PER_SHARD, -(-len(part) // TARS))
            rows += write_shards(folder, split, _samples(images, part), per_shard)
        write_index(folder, rows)
    tars = len({row["shard"] for row in rows})
    print(f"{shards}: {len(rows)} images in {tars} shards")


def image_keys(paths: Sequence[str]) -> list[str]:
    """Return unique keys for image paths, by the first of four forms in which all are unique.

    Stem; path with dashes for slashes; the same with the suffix; the same with a hash.
    """
    pure = [PurePosixPath(path) for path in paths]
    stems = [path.stem for path in pure]
    dashed = ["-".join(path.with_suffix("").parts) for path in pure]
    suffixed = ["-".join(path.parts) for path in pure]
    hashed = [
        f"{name}-{hashlib.sha256(path.encode()).hexdigest()[:16]}"
        for name, path in zip(suffixed, paths, strict=True)
    ]
    forms = ([key.replace(".", "_") for key in keys] for keys in (stems, dashed, suffixed, hashed))
    return next((keys for keys in forms if len(set(keys)) == len(keys)), hashed)


def _samples(images: Path, table: pd.DataFrame) -> Iterator[Sample]:
    for row, key in zip(table.itertuples(), image_keys(list(table["path"])), strict=True):
        path = images / row.path
        if not path.is_file():
            raise InputError(f"{path}: missing, but listed in the manifest: run ingest again")
        data = path.read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != row.sha256:
            raise InputError(
                f"{path}: expected SHA-256 {row.sha256}, found {found}: run ingest again"
            )
        meta = {"identity": int(row.identity), "camera": int(row.camera)}
        suffix = path.suffix.lower().lstrip(".")
        # stock readers decode by the suffix and do not know .jfif
        yield Sample(key, "jpg" if suffix == "jfif" else suffix, data, meta)
