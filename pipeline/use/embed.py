"""Command embed: write the features of pictures to a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.use.embedder import GALLERY_SUFFIX, Device, load
from pipeline.use.gallery import Gallery


def embed(
    pictures: list[Path], model: Path, output: Path, device: Device = "auto"
) -> dict[str, Any]:
    """Embed pictures into a file of features, or add to that file those that it lacks.

    Returns the device and, for the job's record, the hashes of the pictures in each folder. Raises
    InputError as `load` and `Embedder.add` do.
    """
    if output.suffix != GALLERY_SUFFIX:
        raise InputError(f"{output}: expected the name of a {GALLERY_SUFFIX} file: rename it")
    embedder = load(model, device)
    if output.exists():
        gallery = embedder.read_gallery(output)
        before = len(gallery)
        embedder.add(gallery, pictures)
    else:
        gallery, before = embedder.gallery(pictures), 0
    gallery.save(output)
    print(f"{output}: {len(gallery)} pictures, {len(gallery) - before} of them new")
    return {"device": embedder.device.type, "sources": _hashes_by_folder(gallery, pictures)}


def _hashes_by_folder(gallery: Gallery, paths: Sequence[Path]) -> dict[str, dict[str, str]]:
    """Return the hash of each picture by its path in each folder of `paths`."""
    hashes = {Path(name): own for name, own in zip(gallery.names, gallery.hashes, strict=True)}
    return {
        str(folder): {
            name.relative_to(folder).as_posix(): own
            for name, own in hashes.items()
            if name.is_relative_to(folder)
        }
        for folder in paths
        if folder.is_dir()
    }
