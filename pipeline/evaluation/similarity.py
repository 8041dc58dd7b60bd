"""Similarity of query and gallery features."""

from __future__ import annotations

import numpy as np

from pipeline.evaluation.blocks import blocks
from pipeline.evaluation.metrics import l2_normalise

SMALL = 2**32
"""Multiplications that numpy does in float64 in less time than it takes to import torch."""


def cosine_similarity(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Compute the (Q, G) float32 cosine similarity; it ranks as the Euclidean distance does.

    `query` (Q, F) and `gallery` (G, F) are features of any length and floating-point type. Copies
    of an image have the same similarity to others.
    """
    queries = l2_normalise(query)
    similarity = np.empty((len(query), len(gallery)), np.float32)
    multiply_block = multiply if len(query) * gallery.size > SMALL else _multiply_in_float64
    for columns in blocks(len(gallery), 8 * gallery.shape[1]):  # small, as it is copied thrice
        multiply_block(queries, l2_normalise(gallery[columns]), similarity[:, columns])
    return similarity


def multiply(rows: np.ndarray, columns: np.ndarray, out: np.ndarray) -> None:
    """Write rows (B, F) @ columns (C, F).T into `out` (B, C), all float32.

    With torch's MKL a product hardly ever depends on its position in the block and on the number
    of threads. With numpy's OpenBLAS it does: copies of an image differ.
    """
    import torch  # takes a second

    torch.mm(torch.from_numpy(rows), torch.from_numpy(columns).T, out=torch.from_numpy(out))


def _multiply_in_float64(rows: np.ndarray, columns: np.ndarray, out: np.ndarray) -> None:
    """Multiply as `multiply` does; the product hardly ever depends on its position either."""
    out[:] = rows.astype(np.float64) @ columns.astype(np.float64).T
