"""Similarity of query and gallery features."""

from __future__ import annotations

import numpy as np
import torch

from pipeline.evaluation.blocks import blocks
from pipeline.evaluation.metrics import l2_normalise


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
