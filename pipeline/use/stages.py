"""Commands embed and search: use a trained network on folders of pictures."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import InputError
from pipeline.files import atomic_file
from pipeline.use.embedder import GALLERY_SUFFIX, Device, load


def embed(pictures: list[Path], model: Path, output: Path, device: Device = "auto") -> None:
    """Embed pictures into a file of features, or add to that file those that it lacks.

    Raises InputError as `load` and `Embedder.add` do.
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


def search(
    query: Path, gallery: Path, model: Path, output: Path, top: int = 10, device: Device = "auto"
) -> None:
    """Write the `top` most similar gallery pictures of each query to a CSV table.

    `query` and `gallery` are folders, pictures or files of features. Raises InputError as `load`
    and `Embedder.search` do.
    """
    matches = load(model, device).search(query, gallery, top)
    with atomic_file(output) as partial:
        matches.table().to_csv(partial, index=False, float_format="%.4f")
    print(f"{output}: {len(matches.queries)} queries, the {top} best matches of each")
