"""Similarity of query and gallery features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.evaluation.blocks import blocks
from pipeline.evaluation.metrics import l2_normalise

SMALL = 2**32
"""Multiplications that numpy does in float64 in less time than it takes to import torch."""
Product = Callable[[np.ndarray, np.ndarray, np.ndarray], None]
"""Writes rows (B, F) @ columns (C, F).T into its third argument (B, C), all float32."""


def choose_product(query: np.ndarray, gallery: np.ndarray) -> Product:
    """Return how to multiply `query` (Q, F) by `gallery` (G, F): all blocks of both alike."""
    return multiply if len(query) * gallery.size > SMALL else multiply_in_float64


def cosine_similarity(
    query: np.ndarray, gallery: np.ndarray, product: Product | None = None
) -> np.ndarray:
    """Compute the (Q, G) float32 cosine similarity; it ranks as the Euclidean distance does.

    `query` (Q, F) and `gallery` (G, F) are features of any length and floating-point type. If they
    are blocks of larger arrays, `product` is `choose_product` of those.
    """
    product = product or choose_product(query, gallery)
    queries = l2_normalise(query)
    similarity = np.empty((len(query), len(gallery)), np.float32)
    for columns in blocks(len(gallery), 8 * gallery.shape[1]):  # small, as it is copied thrice
        product(queries, l2_normalise(gallery[columns]), similarity[:, columns])
    return similarity


def multiply(rows: np.ndarray, columns: np.ndarray, out: np.ndarray) -> None:
    """Multiply by torch; a `Product`.

    With torch's MKL a product hardly ever depends on its position in the block and on the number
    of threads. In float32 by numpy's OpenBLAS it does, on processors with AVX2: copies of an image
    differ.
    """
    import torch  # takes a second

    torch.mm(torch.from_numpy(rows), torch.from_numpy(columns).T, out=torch.from_numpy(out))


def multiply_in_float64(rows: np.ndarray, columns: np.ndarray, out: np.ndarray) -> None:
    """Multiply by numpy; a `Product` that hardly ever depends on the position either."""
    exact = rows.astype(np.float64)
    for part in blocks(len(columns), 8 * len(rows)):
        out[:, part] = exact @ columns[part].astype(np.float64).T
