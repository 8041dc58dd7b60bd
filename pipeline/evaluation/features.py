"""Read the features file of a run and select its features."""

from __future__ import annotations

import mmap
import os
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.data.names import DISTRACTOR, TEST_SPLITS, WHOLE_QUERY
from pipeline.errors import InputError

FEATURES = ("blended", "coarse", "global", "blended_global", "coarse_global")
"""In the order of the tables; the first one that a variant has is its test feature."""
RERANKED = "_reranked"
"""Suffix of a feature's name in re-ranked rows."""
TABLE_FEATURES = tuple(name for plain in FEATURES for name in (plain, plain + RERANKED))
"""All rows that a table can have for a variant, in order."""
LENGTHS = 26
"""Offset, in a local zip header of 30 bytes, of the lengths of its two last fields."""
REQUIRED_ARRAYS = tuple(
    f"{split}_{name}"
    for split in TEST_SPLITS
    for name in ("keys", "identities", "cameras", "global")
)
"""Arrays that every features file has."""


class Labels(NamedTuple):
    """Identity and camera of each image, both (M,) int64."""

    identities: np.ndarray
    cameras: np.ndarray


def read_features(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a features file; see `pipeline.evaluation.embed.embed` for their names.

    Features are mapped, not read: they can be gigabytes. Raises InputError for a file that is
    damaged or lacks one of `REQUIRED_ARRAYS`.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            mapped = {name for name in file if name.endswith(FEATURES)}
            arrays = {name: file[name] for name in file if name not in mapped}
        with zipfile.ZipFile(path) as archive:
            infos = {name: archive.getinfo(f"{name}.npy") for name in sorted(mapped)}
        arrays |= {name: _map_array(path, info.header_offset) for name, info in infos.items()}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file: embed the run") from None
    except (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a features file ({error}): embed the run again") from None
    missing = [name for name in REQUIRED_ARRAYS if name not in arrays]
    if missing:
        raise InputError(
            f"{path}: expected the arrays {', '.join(REQUIRED_ARRAYS)}, found no "
            f"{', '.join(missing)}: embed the run again"
        )
    return arrays


def write_array(archive: zipfile.ZipFile, name: str, parts: Sequence[np.ndarray]) -> None:
    """Add the concatenation of `parts` to an NPZ archive, as np.savez does, without copying it."""
    header = np.lib.format.header_data_from_array_1_0(parts[0])
    if parts[0].ndim:
        header["shape"] = (sum(map(len, parts)), *parts[0].shape[1:])
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(part.tobytes())


def _map_array(path: Path, header: int) -> np.ndarray:
    """Map the array of an uncompressed NPZ archive whose zip header is at the offset `header`."""
    with open(path, "rb") as file:
        file.seek(header + LENGTHS)
        file.seek(sum(struct.unpack("<HH", file.read(4))), os.SEEK_CUR)
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        return np.memmap(path, dtype, "c", file.tell(), shape)


def release(features: np.ndarray) -> None:
    """Free the memory of mapped features, which are read again when they are used."""
    if isinstance(features.base, mmap.mmap):
        features.base.madvise(mmap.MADV_DONTNEED)


def feature_names(arrays: dict[str, np.ndarray]) -> list[str]:
    """Return the features of the run in the order of `FEATURES`: its test feature first."""
    return [name for name in FEATURES if f"query_{name.removesuffix('_global')}" in arrays]


def has_whole_queries(arrays: dict[str, np.ndarray]) -> bool:
    """Return whether the dataset has whole-body queries besides the occluded ones."""
    return f"{WHOLE_QUERY}_keys" in arrays


def labels_of(arrays: dict[str, np.ndarray], split: str) -> Labels:
    """Return the identities and cameras of a split."""
    return Labels(arrays[f"{split}_identities"], arrays[f"{split}_cameras"])


def check_people(labels: Labels, split: str) -> None:
    """Raise InputError if an image of the queries `split` is junk or a distractor."""
    if (labels.identities <= DISTRACTOR).any():
        raise InputError(
            f"{split}: expected persons, found identity {labels.identities.min()}: "
            "move distractors (0) and junk (-1) to the gallery"
        )
