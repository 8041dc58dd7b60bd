"""Show ranked matches on a page: one HTML file with thumbnails, for a browser without a network."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from pipeline.errors import InputError, warn
from pipeline.evaluation.embed import BATCH
from pipeline.files import atomic_file
from pipeline.use.embedder import PROGRESS, Embedder, Matches
from pipeline.use.pictures import decode_picture

TEMPLATE = Path(__file__).with_suffix(".html")
"""The page; its style and script are the files .css and .js of the same name."""
THUMBNAIL = (96, 192)
"""Largest width and height of a thumbnail in pixels."""
QUALITY = 75
"""Of the thumbnails, by WebP's scale from 0 to 100."""
_BLANK = np.zeros((1, 1, 3), np.uint8)
"""Stands for an unreadable picture in a batch."""


def write_page(page: Path, matches: Matches, gallery: int, embedder: Embedder) -> None:
    """Write the matches in a gallery of `gallery` pictures to an HTML file that needs no other.

    Reads the pictures by their names, and the network tells which patches it keeps. A picture that
    cannot be read is reported as a warning and shown by its name alone.
    """
    names = list(dict.fromkeys([*matches.queries, *chain.from_iterable(matches.names)]))
    positions = {name: position for position, name in enumerate(names)}
    content = {
        "gallery": gallery,
        "threshold": embedder.threshold and embedder.threshold._asdict(),
        "names": names,
        **_read_pictures(names, embedder),
        "queries": [
            [positions[query], [positions[name] for name in found], [*map(_rounded, similarities)]]
            for query, found, similarities in zip(*matches, strict=True)
        ],
    }
    with atomic_file(page) as partial:
        partial.write_text(_render(content), encoding="utf-8")


def _rounded(similarity: float) -> float:
    """Round a float32 to as many digits as tell it from all others."""
    return float(f"{similarity:.9g}")


def _render(content: dict[str, Any]) -> str:
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    style, script = (TEMPLATE.with_suffix(suffix) for suffix in (".css", ".js"))
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        style=style.read_text(encoding="utf-8"),
        script=script.read_text(encoding="utf-8"),
        data=data.replace("<", r"\u003c"),  # a name may contain </script>
    )


def _read_pictures(names: Sequence[str], embedder: Embedder) -> dict[str, Any]:
    """Return `thumbnails`, empty for unreadable pictures, the `kept` patches and their `grid`.

    Thumbnails are WebP files, kept patches bits in raster order, both in base64. Without DPSM,
    `kept` is empty and `grid` None, otherwise rows and columns.
    """
    thumbnails, kept, grid = list[str](), list[str](), None
    starts = range(0, len(names), BATCH)
    for start in tqdm(starts, "page", delay=PROGRESS, mininterval=PROGRESS, dynamic_ncols=True):
        pixels = [_decode(name) for name in names[start : start + BATCH]]
        thumbnails += ["" if each is None else _base64(_thumbnail(each)) for each in pixels]
        masks = embedder.kept_patches([_BLANK if each is None else each for each in pixels])
        if masks is not None:
            kept += [_base64(np.packbits(mask).tobytes()) for mask in masks]
            grid = masks.shape[1:]
    return {"thumbnails": thumbnails, "kept": kept, "grid": grid}


def _decode(name: str) -> np.ndarray | None:
    try:
        return decode_picture(name, name)
    except InputError as error:
        warn(str(error))
        return None


def _thumbnail(pixels: np.ndarray) -> bytes:
    """Encode pixels (H, W, 3) uint8 as a small WebP file of the same aspect ratio."""
    image = Image.fromarray(pixels)
    image.thumbnail(THUMBNAIL)
    file = io.BytesIO()
    image.save(file, "WEBP", quality=QUALITY)
    return file.getvalue()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
