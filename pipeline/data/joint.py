"""Stage join: the training images of several datasets as one training set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data.shards import HASHES, Sample, ShardReader, write_index, write_shards
from pipeline.files import atomic_folder, read_json, sha256, write_json
from pipeline.options.joint import JOIN

PARTS = "parts.json"
"""File of a joint training set that describes its datasets."""


def join(parts: list[Path], shards: Path, names: list[str]) -> None:
    """Pack the training images of the shards `parts` into shards of their own.

    Identities are numbered from 1 on through all parts, so that none is in two of them, and so are
    cameras. Meta is identity, camera and dataset, the index of the part. A key begins with the
    folder of its dataset. PARTS (JSON) has one entry per part: dataset (of `names`), shards (hash
    of its shards.json), train_images, identities, and its own numbers of the cameras in the order
    of the new ones. Raises InputError for damaged shards and for a part without training images.
    """
    readers = [ShardReader(part, "train") for part in parts]
    described = [_describe(name, reader) for name, reader in zip(names, readers, strict=True)]
    with atomic_folder(shards) as folder:
        rows = write_shards(folder, "train", _samples(readers))
        write_json(folder / PARTS, described)
        write_index(folder, rows)
    print(f"{shards}: {len(rows)} training images of {len(parts)} datasets")


def _describe(name: str, reader: ShardReader) -> dict[str, Any]:
    return {
        "dataset": name,
        "shards": sha256(reader.folder / HASHES),
        "train_images": len(reader),
        "identities": int(reader.index["identity"].nunique()),
        "cameras": np.unique(reader.index["camera"]).tolist(),
    }


def _samples(readers: Sequence[ShardReader]) -> Iterator[Sample]:
    """Yield the images of all parts, with numbers that continue from part to part."""
    identities = cameras = 0
    for dataset, reader in enumerate(readers):
        own = reader.index.assign(
            identity=_renumber(reader.index["identity"], identities),
            camera=_renumber(reader.index["camera"], cameras),
        )
        for i, row in enumerate(own.itertuples()):
            meta = {"identity": row.identity, "camera": row.camera, "dataset": dataset}
            key = f"{reader.folder.parent.name}{JOIN}{row.key}"
            yield Sample(key, row.suffix, reader.read(i), meta)
        identities, cameras = int(own["identity"].max()), int(own["camera"].max())


def _renumber(numbers: pd.Series[int], last: int) -> list[int]:
    """Number the different `numbers` in sorted order, from `last` + 1 on."""
    ranks = np.unique(numbers, return_inverse=True)[1]
    return (ranks + last + 1).tolist()


def read_parts(shards: Path) -> list[dict[str, Any]]:
    """Read PARTS of a joint training set; an empty list for the shards of one dataset."""
    path = shards / PARTS
    return list(read_json(path)) if path.exists() else []


def joint_cameras(parts: Sequence[dict[str, Any]], tested: str) -> dict[int, int] | None:
    """Return the joint number of each camera of the part with the shards' hash `tested`.

    `parts` are those of `read_parts`; None if no part has this hash.
    """
    first = 1
    for part in parts:
        if part["shards"] == tested:
            return {camera: first + row for row, camera in enumerate(part["cameras"])}
        first += len(part["cameras"])
    return None
