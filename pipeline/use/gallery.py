"""Galleries: features of images with their names, in memory and in a file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np

from pipeline.errors import InputError
from pipeline.files import atomic_file
from pipeline.use.nearest import EXACT_UP_TO, build_index

_READ_ERRORS = (
    *(ValueError, OSError, EOFError, KeyError, TypeError, zipfile.BadZipFile),
    RuntimeError,  # FAISS
)


@dataclass
class Gallery:
    """Features of N images, all by one network."""

    names: list[str]
    """Paths of the images, as they were given; each once."""
    hashes: list[str]
    """SHA-256 of each image file."""
    features: np.ndarray
    """(N, F) float32 of unit length."""
    network: str
    """SHA-256 of the network's weights."""
    index: faiss.IndexIVF | None = None
    """FAISS's index of a large gallery; None: it is searched exactly."""

    def __len__(self) -> int:
        return len(self.names)

    def add(self, images: Mapping[str, str], contents: Sequence[str], features: np.ndarray) -> None:
        """Add `images`, SHA-256 by name; one with another content replaces that of its name.

        `contents` are the hashes that the gallery lacks, `features` (M, F) their features.
        """
        by_content = dict(zip([*self.hashes, *contents], [*self.features, *features], strict=True))
        self._remove_replaced(images)
        present = set(self.names)
        added = {name: content for name, content in images.items() if name not in present}
        if not added:
            return
        rows = np.stack([by_content[content] for content in added.values()])
        self.names += added
        self.hashes += added.values()
        self.features = np.concatenate([self.features, rows])
        if self.index is not None:
            self.index.add(rows)
        elif len(self) > EXACT_UP_TO:
            self.index = build_index(self.features)

    def _remove_replaced(self, images: Mapping[str, str]) -> None:
        """Remove the images whose content in `images` is another one."""
        pairs = zip(self.names, self.hashes, strict=True)
        kept = [row for row, (name, own) in enumerate(pairs) if images.get(name, own) == own]
        if len(kept) == len(self):
            return
        self.names = [self.names[row] for row in kept]
        self.hashes = [self.hashes[row] for row in kept]
        self.features = self.features[kept]
        self.index = None

    def save(self, path: Path | str) -> None:
        """Write a NumPy archive atomically: the fields by name, `index` if there is one."""
        arrays = {
            "names": np.array(self.names, np.str_),
            "hashes": np.array(self.hashes, np.str_),
            "features": self.features,
            "network": np.array(self.network),
        }
        if self.index is not None:
            arrays["index"] = faiss.serialize_index(self.index)
        with atomic_file(Path(path)) as partial, open(partial, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)


def read_gallery(path: Path | str) -> Gallery:
    """Read a gallery that `Gallery.save` wrote; InputError for any other file."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            index = _read_index(arrays["index"]) if "index" in arrays else None
            names, hashes = arrays["names"].tolist(), arrays["hashes"].tolist()
            return Gallery(names, hashes, arrays["features"], str(arrays["network"]), index)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file: embed the images first") from None
    except _READ_ERRORS as error:
        raise InputError(
            f"{path}: expected features that dpeformer embed wrote, found another file ({error}): "
            "embed the images again"
        ) from None


def _read_index(data: np.ndarray) -> faiss.IndexIVF:
    index = faiss.deserialize_index(data)
    if not isinstance(index, faiss.IndexIVF):
        raise TypeError(f"index of type {type(index).__name__}")
    return index
