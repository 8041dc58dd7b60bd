"""Command search: rank the pictures of a gallery by their similarity to each query."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.files import atomic_file
from pipeline.use.embedder import Device, load
from pipeline.use.page import write_page


def search(
    query: Path,
    gallery: Path,
    model: Path,
    output: Path,
    top: int = 10,
    device: Device = "auto",
    page: Path | None = None,
) -> dict[str, Any]:
    """Write the `top` most similar gallery pictures of each query to a CSV table.

    `query` and `gallery` are folders, pictures or files of features. `page` shows the matches in a
    browser (HTML). Returns the device. Raises InputError as `load` and `Embedder.search` do.
    """
    embedder = load(model, device)
    others = embedder.gallery_of(gallery)
    matches = embedder.search(query, others, top)
    with atomic_file(output) as partial:
        table = matches.table(embedder.threshold)
        table.to_csv(partial, index=False, float_format="%.4f")
    if page is not None:
        write_page(page, matches, len(others), embedder)
    print(f"{output}: {len(matches.queries)} queries, the {top} best matches of each")
    if embedder.threshold is not None:
        print(f"accepted: a similarity of at least {embedder.threshold.similarity:.4f}")
    return {"device": embedder.device.type}
