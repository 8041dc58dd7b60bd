"""COCO's run-length encoding of masks, compressed or not.

pycocotools is not used: a malformed string makes it write beyond its memory, and runs that end
early leave pixels unset. segment-anything's functions check nothing and need torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.errors import InputError

_FIRST = ord("0")
_MORE, _SIGN = 0x20, 0x10
_CHUNKS = 7  # of 5 bits: enough for any image, and no endless number from a hostile file


def decode_rle(segmentation: dict[str, Any]) -> np.ndarray:
    """Mask (H, W) bool of COCO's uncompressed run lengths: columns first, beginning with zeros.

    Raises InputError for compressed ones and for lengths that do not fill the mask.
    """
    (height, width), counts = segmentation["size"], segmentation["counts"]
    _check_lengths(counts, height, width)
    runs = np.arange(len(counts)) % 2 == 1
    return np.repeat(runs, counts).reshape(width, height).T


def encode_rle(mask: np.ndarray) -> dict[str, Any]:
    """COCO's uncompressed run lengths of a mask (H, W) bool."""
    pixels = np.concatenate([[False], mask.T.ravel()])  # a first run of zeros, which may be empty
    starts = np.flatnonzero(np.diff(pixels))
    counts = np.diff(starts, prepend=0, append=mask.size).tolist()
    return {"size": list(mask.shape), "counts": counts}


def uncompress_rle(size: tuple[int, int], counts: str | list[int]) -> dict[str, Any]:
    """Uncompressed run lengths of a mask of `size` (height, width), whichever way they are written.

    Raises InputError where they are not COCO's or do not fill the mask.
    """
    lengths = _parse(counts) if isinstance(counts, str) else counts
    _check_lengths(lengths, *size)
    return {"size": list(size), "counts": lengths}


def _check_lengths(counts: Any, height: int, width: int) -> None:
    if not isinstance(counts, list) or min(counts, default=0) < 0 or sum(counts) != height * width:
        raise InputError(
            f"expected run lengths that fill {height} x {width} pixels, found {str(counts)[:40]!r}"
        )


def _parse(text: str) -> list[int]:
    """Run lengths in COCO's compressed string (cocoapi, common/maskApi.c, rleFrString).

    A number is written in characters of 5 bits, the lowest first, each with a bit that says whether
    more follow; the highest bit of the last one is the sign. From the fourth number on, it is the
    difference to the run before the last.
    """
    lengths: list[int] = []
    value = chunks = 0
    for character in text:
        bits = ord(character) - _FIRST
        if not 0 <= bits < 2 * _MORE or chunks == _CHUNKS:
            raise InputError(f"expected COCO's compressed run lengths, found {text[:40]!r}")
        value |= (bits & (_MORE - 1)) << 5 * chunks
        chunks += 1
        if bits & _MORE:
            continue
        if bits & _SIGN:
            value -= 1 << 5 * chunks
        lengths.append(value + lengths[-2] if len(lengths) > 2 else value)
        value = chunks = 0
    if chunks:
        raise InputError(f"expected COCO's compressed run lengths, found a cut-off {text[-40:]!r}")
    return lengths
