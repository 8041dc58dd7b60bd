"""Blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

BLOCK = 2**25
"""Entries of a block: 128 MB of float32."""


def blocks(count: int, width: int) -> Iterator[slice]:
    """Yield slices that cover `count` rows of `width` entries, about equal, `BLOCK` at most."""
    number = min(-(-count * width // BLOCK), count)
    edges = np.linspace(0, count, number + 1).astype(int).tolist()
    for start, stop in pairwise(edges):  # none is small: torch's MKL rounds few rows in another way
        yield slice(start, stop)
