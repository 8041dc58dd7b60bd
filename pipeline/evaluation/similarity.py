"""Similarity of query and gallery features, in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch

from pipeline.errors import InputError
from pipeline.evaluation.metrics import l2_normalise

BLOCK = 2**25
"""Entries of a block: 128 MB of float32."""


def blocks(count: int, width: int) -> Iterator[slice]:
    """Yield slices that cover `count` rows of `width` entries, about equal, `BLOCK` at most."""
    number = min(-(-count * width // BLOCK), count)
    edges = np.linspace(0, count, number + 1).astype(int).tolist()
    for start, stop in pairwise(edges):  # none is small: MKL rounds few rows in another way
        yield slice(start, stop)


def check_finite(features: np.ndarray) -> None:
    """Raise InputError if one of the features (M, F) is not finite."""
    if not all(np.isfinite(features[rows]).all() for rows in blocks(*features.shape)):
        raise InputError(
            "expected finite features, found NaN or infinity: train the run again, or embed it "
            "with evaluation.feature_dtype float32"
        )


def cosine_similarity(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Compute the (Q, G) float32 cosine similarity; it ranks as the Euclidean distance does.

    `query` (Q, F) and `gallery` (G, F) are features of any length and floating-point type.
    """
    queries = l2_normalise(query)
    similarity = np.empty((len(query), len(gallery)), np.float32)
    for columns in blocks(len(gallery), 8 * gallery.shape[1]):  # small, as it is copied thrice
        multiply(queries, l2_normalise(gallery[columns]), similarity[:, columns])
    return similarity


def multiply(rows: np.ndarray, columns: np.ndarray, out: np.ndarray) -> None:
    """Write rows (B, F) @ columns (C, F).T into `out` (B, C), all float32.

    With torch's MKL a product hardly ever depends on its position in the block and on the number
    of threads. With numpy's OpenBLAS it does: copies of an image differ.
    """
    torch.mm(torch.from_numpy(rows), torch.from_numpy(columns).T, out=torch.from_numpy(out))
