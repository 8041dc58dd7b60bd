"""WebDataset shards with an index: streamed by stock webdataset, or read at random.

A shard is a plain tar of `<key>.<suffix>` (the original encoded bytes) and `<key>.json` pairs.
Beside the tars, index.csv gives the place of every image in its tar, and shards.json the hashes of
all that is in the folder.
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
_PLACE = {"shard": "str", "key": "str", "suffix": "str", "offset": "int64", "size": "int64"}


class Sample(NamedTuple):
    """One image on its way into a shard."""

    key: str
    suffix: str
    data: bytes
    meta: Mapping[str, int | float | str]


def write_shards(
    folder: Path, name: str, samples: Iterable[Sample], per_shard: int = 1000
) -> list[dict[str, Any]]:
    """Write `samples` into tars `<name>-000000.tar`, ... in an existing folder.

    Returns the rows of the index: shard, key, suffix, offset and size (bytes, of the image's data
    inside the tar) and the sample's meta. The same samples give the same bytes. Raises InputError
    for keys that are empty, hold `.` or `/`, or repeat. The caller makes the folder atomic.
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
                place = (shard, sample.key, sample.suffix, offset, len(sample.data))
                rows.append({**dict(zip(_PLACE, place, strict=True)), **sample.meta})
        number += 1
    return rows


def _check(sample: Sample, seen: set[str], shard: str) -> None:
    where = f"{shard}: key {sample.key!r}"
    if not sample.key or set(sample.key) & set("./\\"):
        raise InputError(f"{where}: expected a name without dots and slashes: rename the file")
    if sample.key in seen:
        raise InputError(f"{where}: expected keys to be unique, found it twice: rename one file")
    if sample.suffix not in SUFFIXES:
        allowed = ", ".join(sorted(SUFFIXES))
        raise InputError(f"{where}: expected one of {allowed}, found suffix {sample.suffix!r}")
    if set(sample.meta) & set(_PLACE):
        raise InputError(f"{where}: meta may not use the index's names {', '.join(_PLACE)}")
    seen.add(sample.key)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> int:
    """Append a member with a fixed header; returns where its data begins in the tar."""
    member = tarfile.TarInfo(name)  # time 0, owner 0, mode 0644
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
    padded = -(-len(data) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    return tar.offset - padded


def write_index(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Write index.csv (one line per image) and shards.json.

    shards.json has {sha256, bytes} of each file that is in the folder by now, of a tar its samples
    too.
    """
    table = pd.DataFrame(rows)
    with atomic_file(folder / INDEX) as partial:
        table.to_csv(partial, index=False, lineterminator="\n", encoding="utf-8")
    counts = table["shard"].value_counts().to_dict() if rows else {}
    files = {path.name: _facts(path) for path in folder.iterdir() if path.is_file()}
    for tar, samples in counts.items():
        files[tar]["samples"] = int(samples)
    write_json(folder / HASHES, files)


def _facts(path: Path) -> dict[str, Any]:
    return {"sha256": sha256(path), "bytes": path.stat().st_size}


def read_hashes(folder: Path) -> dict[str, dict[str, Any]]:
    """shards.json: {sha256, bytes} of each file; InputError where there is none."""
    try:
        files = read_json(folder / HASHES)
        if INDEX not in files or not all("sha256" in facts for facts in files.values()):
            raise KeyError(INDEX)
        return dict(files)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            f"{folder}: expected {HASHES} with hashes of its files: make the shards again"
        ) from None


def split_names(folder: Path) -> set[str]:
    """The splits that have images in a folder of shards; InputError as `read_hashes`."""
    return {name.rpartition("-")[0] for name in read_hashes(folder) if name.endswith(".tar")}


def verify(folder: Path) -> None:
    """Check every file of `folder` against shards.json: present, of the right length and hash.

    Raises InputError that names the first file that is not as it was written.
    """
    for name, facts in sorted(read_hashes(folder).items()):
        file = folder / name
        if not file.is_file():
            raise InputError(f"{file}: listed in {HASHES} but missing: make the shards again")
        size = file.stat().st_size
        if size != facts["bytes"]:
            raise InputError(
                f"{file}: expected {facts['bytes']} bytes, found {size}: make the shards again"
            )
        found = sha256(file)
        if found != facts["sha256"]:
            raise InputError(
                f"{file}: expected SHA-256 {facts['sha256']}, found {found}: its bytes have "
                "changed, make the shards again"
            )


def _read_index(folder: Path, name: str) -> pd.DataFrame:
    """The rows of `<name>-*.tar`, in the order they were written; the shards are verified first."""
    verify(folder)
    table = pd.read_csv(folder / INDEX, dtype=_PLACE, keep_default_na=False)
    table = table[table["shard"].str.rpartition("-")[0] == name].reset_index(drop=True)
    if table.empty:
        raise InputError(f"{folder}: expected shards named {name}-*.tar, found none in {INDEX}")
    return table


class ShardReader:
    """Reads the images of one split at random, straight from the tars, without unpacking them.

    `index` is the split's part of index.csv, in order: shard, key, suffix, offset, size and the
    meta columns. Opening checks the tars' hashes and raises InputError when one is missing or
    changed. The tars are memory-mapped on first use in each process, so a reader can be sent to
    workers.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.index = _read_index(folder, name)
        places = self.index[["shard", "offset", "size"]]
        self._places = list(places.itertuples(index=False, name=None))
        self._maps: dict[str, mmap.mmap] = {}

    def __len__(self) -> int:
        return len(self.index)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_maps": {}}  # maps belong to a process

    def read(self, i: int) -> bytes:
        """The encoded bytes of image `i`, as they were ingested."""
        shard, offset, size = self._places[i]
        return self._map(shard)[offset : offset + size]

    def image(self, i: int) -> np.ndarray:
        """The pixels of image `i`, (H, W, 3) uint8 RGB."""
        row = self.index.iloc[i]
        return decode_image(self.read(i), f"{row['shard']}: {row['key']}.{row['suffix']}")

    def _map(self, shard: str) -> mmap.mmap:
        if shard not in self._maps:
            with open(self.folder / shard, "rb") as file:
                self._maps[shard] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._maps[shard]


def stream(folder: Path, name: str) -> Iterator[tuple[str, np.ndarray, dict[str, Any]]]:
    """Stream one split in order through stock webdataset: key, (H, W, 3) uint8 RGB, meta.

    webdataset's default decoders unpickle what a tar tells them to, so members are decoded here,
    and only images and JSON. Raises InputError as `ShardReader` does, and for other members.
    """
    import webdataset  # slow to import, and needed by no one else

    tars = [str(folder / shard) for shard in _read_index(folder, name)["shard"].unique()]
    for raw in webdataset.WebDataset(tars, shardshuffle=False):
        yield _decode(raw)


def _decode(raw: dict[str, Any]) -> tuple[str, np.ndarray, dict[str, Any]]:
    key, where = raw["__key__"], f"{raw['__url__']}: {raw['__key__']}"
    members = {suffix: data for suffix, data in raw.items() if not suffix.startswith("__")}
    meta = json.loads(members.pop("json", b"{}"))
    if len(members) != 1 or not set(members) <= SUFFIXES:
        found = ", ".join(members) or "none"
        raise InputError(f"{where}: expected one image and its json, found {found}")
    [(suffix, data)] = members.items()
    return key, decode_image(data, f"{where}.{suffix}"), meta


def shard(images: Path, manifest: Path, shards: Path) -> None:
    """Pack the images of a manifest into shards named after their splits.

    The images of an identity lie side by side; meta is identity and camera; keys are those of
    `image_keys`. A split without images has no shards. Raises InputError when an image is missing
    or no longer the one that was ingested.
    """
    table = read_manifest(manifest)
    rows: list[dict[str, Any]] = []
    with atomic_folder(shards) as folder:
        for split in SPLITS:
            part = table[table["split"] == split].sort_values(["identity", "path"])
            rows += write_shards(folder, split, _samples(images, part))
        write_index(folder, rows)
    tars = len({row["shard"] for row in rows})
    print(f"{shards}: {len(rows)} images in {tars} shards")


def image_keys(paths: Sequence[str]) -> list[str]:
    """A different key for each image's path, in the first form that tells all of them apart.

    The stem; the path with dashes for slashes; that with the suffix; and that with a hash.
    """
    pure = [PurePosixPath(path) for path in paths]
    stems = [path.stem for path in pure]
    dashed = ["-".join(path.with_suffix("").parts) for path in pure]
    whole = ["-".join(path.parts) for path in pure]
    hashed = [
        f"{name}-{hashlib.sha256(path.encode()).hexdigest()[:16]}"
        for name, path in zip(whole, paths, strict=True)
    ]
    forms = ([key.replace(".", "_") for key in keys] for keys in (stems, dashed, whole, hashed))
    return next((keys for keys in forms if len(set(keys)) == len(keys)), hashed)


def _samples(images: Path, table: pd.DataFrame) -> Iterator[Sample]:
    for row, key in zip(table.itertuples(), image_keys(list(table["path"])), strict=True):
        path = images / row.path
        if not path.is_file():
            raise InputError(f"{path}: named by the manifest but missing: run ingest again")
        data = path.read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != row.sha256:
            raise InputError(
                f"{path}: expected SHA-256 {row.sha256}, found {found}: run ingest again"
            )
        meta = {"identity": int(row.identity), "camera": int(row.camera)}
        suffix = path.suffix.lower().lstrip(".")
        # a stock reader decodes by the suffix, and knows no .jfif
        yield Sample(key, "jpg" if suffix == "jfif" else suffix, data, meta)
