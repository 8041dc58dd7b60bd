"""COCO's run-length encoding of masks, compressed or not.

On malformed strings pycocotools writes beyond its memory or leaves pixels unset; segment-anything
checks nothing and needs torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.errors import InputError

_FIRST = ord("0")
_MORE, _SIGN = 0x20, 0x10
_CHUNKS = 7  # of 5 bits, the maximum of a number: enough for any image


def decode_rle(segmentation: dict[str, Any]) -> np.ndarray:
    """Decode uncompressed run lengths to a mask (H, W) bool: column by column, zeros first.

    Raises InputError for compressed ones and for lengths that do not fill the mask.
    """
    (height, width), counts = segmentation["size"], segmentation["counts"]
    _check_lengths(counts, height, width)
    runs = np.arange(len(counts)) % 2 == 1
    return np.repeat(runs, counts).reshape(width, height).T


def encode_rle(mask: np.ndarray) -> dict[str, Any]:
    """Encode a mask (H, W) bool as uncompressed run lengths."""
    pixels = np.concatenate([[False], mask.T.ravel()])  # zeros come first
    starts = np.flatnonzero(np.diff(pixels))
    counts = np.diff(starts, prepend=0, append=mask.size).tolist()
    return {"size": list(mask.shape), "counts": counts}


def uncompress_rle(size: tuple[int, int], counts: str | list[int]) -> dict[str, Any]:
    """Uncompress the run lengths of a mask of `size` (height, width), if they are a string.

    Raises InputError for malformed strings and for lengths that do not fill the mask.
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
    """Parse COCO's compressed string (cocoapi, common/maskApi.c, rleFrString) to run lengths.

    A character has 5 bits of a number, lowest first, and a continuation bit; the highest bit of the
    last one is the sign. From the fourth number on, they are differences to the run before last.
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
        raise InputError(
            f"expected COCO's compressed run lengths, found the truncated {text[-40:]!r}"
        )
    return lengths
