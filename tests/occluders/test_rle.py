"""COCO's compressed run lengths, against strings that pycocotools 2.0 wrote."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.occluders.rle import decode_rle, encode_rle, uncompress_rle

RING = np.zeros((40, 30), bool)
RING[3:37, 5:21] = True
RING[10:12, 8:12] = False
ROWS = ["0111000", "0000101", "0100111", "1000100", "0001100"]
FULL_CORNER = ["110011111", "101111110", "111111111", "111110111", "010111001", "111111101"]


def grid(rows: list[str]) -> np.ndarray:
    return np.array([[digit == "1" for digit in row] for row in rows])


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (RING, "[6R160000UOLb04^OLb04^OLb04^OLb0490000000000000000U;"),
        (grid(ROWS), "3110001020O0N31M11O"),
        (grid(FULL_CORNER), "041N020O0N0=0H0O1LO3"),
    ],
)
def test_strings_of_pycocotools_decode_to_their_masks(mask: np.ndarray, text: str) -> None:
    plain = uncompress_rle(mask.shape, text)
    np.testing.assert_array_equal(decode_rle(plain), mask)
    assert encode_rle(mask) == plain
    assert uncompress_rle(mask.shape, plain["counts"]) == plain


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3110001020O0N31M11",  # a run is missing
        "3110001020O0N31M11O0\x20",  # no character of the code
        "3110001020O0N31M11OU",  # a number that goes on
        "U" * 10_000 + "0",  # a number that goes on for ever
        "3O",  # a negative run
        "é",
    ],
)
def test_what_is_no_mask_is_refused(text: str) -> None:
    """pycocotools 2.0.11 aborts on the third, and makes masks of the first two."""
    with pytest.raises(InputError, match=r"expected .*run lengths"):
        uncompress_rle((5, 7), text)


def test_run_lengths_that_would_fill_the_memory_are_refused() -> None:
    for counts in ([10**12], [-1, 36], [36, -1]):
        with pytest.raises(InputError, match="fill 5 x 7 pixels"):
            uncompress_rle((5, 7), counts)
