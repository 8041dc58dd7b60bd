"""Read the features file of a run and select its features."""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple

import numpy as np

from pipeline.data.names import DISTRACTOR, TEST_SPLITS, WHOLE_QUERY
from pipeline.errors import InputError
from pipeline.evaluation.blocks import blocks

FEATURES = ("blended", "coarse", "global", "blended_global", "coarse_global")
"""In the order of the tables; the first one that a variant has is its test feature."""
RERANKED = "_reranked"
"""Suffix of a feature's name in re-ranked rows."""
TABLE_FEATURES = tuple(name for plain in FEATURES for name in (plain, plain + RERANKED))
"""All rows that a table can have for a variant, in order."""
LENGTHS = 26
"""Offset, in a local zip header of 30 bytes, of the lengths of its two last fields."""
_CHUNK = 2**20
"""Bytes that are copied at a time."""
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


def write_array(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    """Add an array to an NPZ archive, as np.savez does."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array(file, array, allow_pickle=False)


def write_split(
    archive: zipfile.ZipFile,
    split: str,
    labels: Mapping[str, np.ndarray],
    batches: Iterable[Mapping[str, np.ndarray]],
) -> None:
    """Add `labels` and the concatenated arrays of `batches` to an NPZ archive as `<split>_<name>`.

    Each batch has the same names, types and widths. Batches are kept in unnamed temporary files
    beside the archive: the features of MSMT17 are gigabytes.
    """
    for name, values in labels.items():
        write_array(archive, f"{split}_{name}", values)
    folder = Path(str(archive.filename)).parent
    with ExitStack() as open_files:
        spools: dict[str, _Spool] = {}
        for batch in batches:
            for name, rows in batch.items():
                if name not in spools:
                    file = open_files.enter_context(TemporaryFile(dir=folder))
                    spools[name] = _Spool(file, rows)
                spools[name].append(rows)
        for name, spool in spools.items():
            spool.write(archive, f"{split}_{name}")


class _Spool:
    """An array that grows by rows in a file."""

    def __init__(self, file: IO[bytes], like: np.ndarray) -> None:
        """Take an empty file and an array of the type and width of the rows."""
        self._file = file
        self._header = np.lib.format.header_data_from_array_1_0(like)
        self._length = 0

    def append(self, rows: np.ndarray) -> None:
        self._file.write(rows.tobytes())
        self._length += len(rows)

    def write(self, archive: zipfile.ZipFile, name: str) -> None:
        header = self._header | {"shape": (self._length, *self._header["shape"][1:])}
        self._file.seek(0)
        with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, header)
            shutil.copyfileobj(self._file, file, _CHUNK)


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


def check_finite(features: np.ndarray) -> None:
    """Raise InputError if one of the features (M, F) is not finite."""
    if not all(np.isfinite(features[rows]).all() for rows in blocks(*features.shape)):
        raise InputError(
            "expected finite features, found NaN or infinity: train the run again, or embed it "
            "with evaluation.feature_dtype float32"
        )
