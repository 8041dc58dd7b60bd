"""k-reciprocal re-ranking: Zhong, Zheng, Cao and Li, CVPR 2017.

Images that are among each other's nearest neighbours are likely to show the same person. Each image
is encoded by the weights of its k-reciprocal neighbours; the Jaccard distance of two encodings,
blended with the original distance, ranks the gallery.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csc_array, csr_array

from pipeline.evaluation.metrics import highest, l2_normalise
from pipeline.evaluation.similarity import blocks, multiply
from pipeline.options.evaluation import RerankOptions


class Reranking:
    """Re-ranked similarity of Q queries and G gallery images; memory is linear in Q + G.

    Neighbours are searched among the images of both. The original distance is the squared Euclidean
    one of unit features, divided by the image's largest.
    """

    def __init__(self, query: np.ndarray, gallery: np.ndarray, options: RerankOptions) -> None:
        """Encode the images of `query` (Q, F) and `gallery` (G, F), features of any length."""
        self._features = l2_normalise(np.concatenate([query, gallery]))
        self._queries, self._options = len(query), options
        nearest, self._largest = _nearest(self._features, max(options.k1 + 1, options.k2))
        neighbours = _expand(nearest, options.k1)
        encoded = _weigh(neighbours, self._features, self._largest)
        if options.k2 > 1:
            averaged = _membership(nearest, options.k2)
            encoded = csr_array(averaged @ encoded) / min(options.k2, len(nearest))
        self._encoded = csr_array(encoded[: len(query)])
        self._gallery = csc_array(encoded[len(query) :])

    def similarity(self, rows: slice) -> np.ndarray:
        """Compute minus the re-ranked distance of the queries `rows`, (B, G) float32."""
        distances = _squared_distances(self._features[rows], self._features[self._queries :])
        distances *= self._options.lambda_value / self._largest[rows, None]
        for i, distance in zip(range(rows.start, rows.stop), distances, strict=True):
            jaccard = _jaccard(self._encoded[[i]], self._gallery)
            distance += (1 - self._options.lambda_value) * jaccard
        return -distances


def _squared_distances(features: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute the squared distances of unit features (B, F) and (N, F): (B, N) float32."""
    products = np.empty((len(features), len(others)), np.float32)
    multiply(features, others, products)
    return _from_cosine(products)


def _from_cosine(cosine: np.ndarray) -> np.ndarray:
    """Turn cosines into squared distances, in place."""
    cosine *= -2
    cosine += 2
    return np.maximum(cosine, 0, out=cosine)  # rounding can fall below 0


def _nearest(features: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest images of each, itself included, ties by index, and its largest distance.

    (N, min(count, N)) int64 and (N,) float32.
    """
    nearest, largest = [], []
    for rows in blocks(len(features), len(features)):
        distances = _squared_distances(features[rows], features)
        largest.append(np.maximum(distances.max(axis=1), np.finfo(np.float32).tiny))
        nearest += [highest(row, count) for row in np.negative(distances, out=distances)]
    return np.array(nearest), np.concatenate(largest)


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


def _weigh(neighbours: csr_array, features: np.ndarray, largest: np.ndarray) -> csr_array:
    """Weigh the pairs in `neighbours` by exp(-distance), each row divided by its sum."""
    neighbours.eliminate_zeros()
    neighbours.sort_indices()
    weights = np.empty(neighbours.nnz, np.float32)
    for i, feature in enumerate(features):
        pairs = slice(neighbours.indptr[i], neighbours.indptr[i + 1])
        # not by BLAS: it would round by the number of threads
        cosine = np.einsum("ij,j->i", features[neighbours.indices[pairs]], feature)
        row = np.exp(-_from_cosine(cosine) / largest[i])
        weights[pairs] = row / row.sum()
    return csr_array((weights, neighbours.indices, neighbours.indptr), neighbours.shape)


def _jaccard(encoded: csr_array, gallery: csc_array) -> np.ndarray:
    """Compute the Jaccard distance of an encoding (1, N) to `gallery` (G, N): (G,) float32."""
    shared = gallery[:, encoded.indices]
    smaller = np.minimum(shared.data, np.repeat(encoded.data, np.diff(shared.indptr)))
    overlap = np.bincount(shared.indices, smaller, minlength=gallery.shape[0])
    return (1 - overlap / (2 - overlap)).astype(np.float32)
