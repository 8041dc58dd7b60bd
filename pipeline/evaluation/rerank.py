"""k-reciprocal re-ranking: Zhong, Zheng, Cao and Li, CVPR 2017.

Images that are among each other's nearest neighbours are likely to show the same person. Each image
is encoded by the weights of its k-reciprocal neighbours; the Jaccard distance of two encodings,
blended with the original distance, ranks the gallery.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csc_array, csr_array

from pipeline.evaluation.metrics import blocks, l2_normalise
from pipeline.options.evaluation import RerankOptions


def reranked_similarity(
    query: np.ndarray, gallery: np.ndarray, options: RerankOptions
) -> Iterator[np.ndarray]:
    """Yield blocks of the (Q, G) float32 similarity: minus the re-ranked distance.

    `query` (Q, F) and `gallery` (G, F) are float32 features of any length. Neighbours are searched
    among the images of both; the original distance is the squared Euclidean one of unit features,
    divided by the image's largest. Memory grows with (Q + G) * k1 * k2.
    """
    features = l2_normalise(np.concatenate([query, gallery]))
    encoded = _encode(features, options)
    encoded_gallery = csc_array(encoded[len(query) :])
    for rows in blocks(len(query)):
        original = _distances(features, rows)[:, len(query) :]
        jaccard = np.stack(
            [_jaccard(encoded[[i]], encoded_gallery) for i in range(rows.start, rows.stop)]
        )
        yield -((1 - options.lambda_value) * jaccard + options.lambda_value * original)


def _distances(features: np.ndarray, rows: slice) -> np.ndarray:
    """Compute squared distances of the images `rows` to all, over the largest: (B, N) float32."""
    squared = np.maximum(2 - 2 * features[rows] @ features.T, 0)  # rounding can fall below 0
    return squared / np.maximum(squared.max(axis=1, keepdims=True), np.finfo(np.float32).tiny)


def _encode(features: np.ndarray, options: RerankOptions) -> csr_array:
    """Encode each image by the weights of its neighbours: (N, N), rows sum to 1."""
    nearest = _nearest(features, max(options.k1 + 1, options.k2))
    neighbours = _expand(nearest, options.k1)
    encoded = _weigh(neighbours, features)
    if options.k2 == 1:
        return encoded
    averaged = _membership(nearest, options.k2)
    return csr_array(averaged @ encoded) / min(options.k2, len(features))


def _nearest(features: np.ndarray, count: int) -> np.ndarray:
    """Return the nearest images of each, itself included, ties by index: (N, count) int64."""
    rows = blocks(len(features))
    return np.concatenate(
        [np.argsort(_distances(features, part), axis=1, kind="stable")[:, :count] for part in rows]
    )


def _membership(nearest: np.ndarray, k: int) -> csr_array:
    """Mark the k nearest images of each: (N, N) of 0 and 1."""
    size, columns = len(nearest), nearest[:, :k]
    starts = np.arange(size + 1) * columns.shape[1]
    return csr_array((np.ones(columns.size, np.float32), columns.ravel(), starts), (size, size))


def _reciprocal(nearest: np.ndarray, k: int) -> csr_array:
    """Mark pairs of images among each other's k nearest: (N, N) of 0 and 1."""
    near = _membership(nearest, k)
    return csr_array(near.multiply(near.T))


def _expand(nearest: np.ndarray, k1: int) -> csr_array:
    """Return the k1-reciprocal neighbours of each image, and those of neighbours that agree.

    A neighbour agrees when more than 2/3 of its own k1/2-reciprocal ones are the image's as well.
    """
    own = _reciprocal(nearest, k1 + 1)  # an image is its own nearest
    half = _reciprocal(nearest, round(k1 / 2) + 1)
    shared = csr_array(own.multiply(own @ half))  # number of common neighbours
    sizes = half.sum(axis=1)
    shared.data = (3 * shared.data > 2 * sizes[shared.indices]).astype(np.float32)
    return csr_array(own + shared @ half)


def _weigh(neighbours: csr_array, features: np.ndarray) -> csr_array:
    """Weigh the pairs in `neighbours` by exp(-distance), each row divided by its sum."""
    neighbours.eliminate_zeros()
    neighbours.sort_indices()
    weights = np.empty(neighbours.nnz, np.float32)
    for rows in blocks(len(features)):
        distances = _distances(features, rows)
        for i in range(rows.start, rows.stop):
            pairs = slice(neighbours.indptr[i], neighbours.indptr[i + 1])
            row = np.exp(-distances[i - rows.start, neighbours.indices[pairs]])
            weights[pairs] = row / row.sum()
    return csr_array((weights, neighbours.indices, neighbours.indptr), neighbours.shape)


def _jaccard(encoded: csr_array, gallery: csc_array) -> np.ndarray:
    """Compute the Jaccard distance of an encoding (1, N) to `gallery` (G, N): (G,) float32."""
    shared = gallery[:, encoded.indices]
    smaller = np.minimum(shared.data, np.repeat(encoded.data, np.diff(shared.indptr)))
    overlap = np.bincount(shared.indices, smaller, minlength=gallery.shape[0])
    return (1 - overlap / (2 - overlap)).astype(np.float32)
