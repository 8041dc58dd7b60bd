"""k-reciprocal re-ranking: Zhong, Zheng, Cao and Li, CVPR 2017.

Images that are among each other's nearest neighbours are likely to show the same person. Each image
is encoded by the weights of its k-reciprocal neighbours; the Jaccard distance of two encodings,
blended with the original distance, ranks the gallery.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csc_array, csr_array

from pipeline.evaluation.blocks import blocks
from pipeline.evaluation.metrics import highest, l2_normalise
from pipeline.evaluation.similarity import multiply
from pipeline.options.evaluation import RerankOptions

QUERIES = 64
"""Size of a block of queries; it does not affect the results."""


class Reranking:
    """Re-ranked similarity of Q queries and G gallery images; memory is linear in Q + G.

    Neighbours are searched among the images of both. The original distance is the squared Euclidean
    one of unit features, divided by the image's largest.
    """

    def __init__(self, query: np.ndarray, gallery: np.ndarray, options: RerankOptions) -> None:
        """Encode the images of `query` (Q, F) and `gallery` (G, F), features of any length."""
        self._features = l2_normalise(np.concatenate([query, gallery]))
        self._queries, self._options = len(query), options
        nearest, cosines, self._largest = _nearest(self._features, max(options.k1 + 1, options.k2))
        weights = np.exp(-_squared_distance(cosines) / self._largest[:, None])
        neighbours = _expand(nearest, options.k1)
        encoded = self._weigh(neighbours, _rows(nearest, weights))
        if options.k2 > 1:
            averaged = _membership(nearest, options.k2)
            encoded = csr_array(averaged @ encoded) / min(options.k2, len(nearest))
        self._encoded = csr_array(encoded[: len(query)])
        self._gallery = csc_array(encoded[len(query) :])

    def similarity(self, rows: slice) -> np.ndarray:
        """Compute minus the re-ranked distance of the queries `rows`, (B, G) float32."""
        found = _cosines(self._features[rows], self._features[self._queries :])
        np.minimum(found, 1, out=found)  # rounding can exceed it
        found -= 1
        found *= (2 * self._options.lambda_value / self._largest[rows])[:, None]
        weight = np.float32(1 - self._options.lambda_value)
        found -= weight
        for start in range(0, len(found), QUERIES):
            block = slice(start, min(start + QUERIES, len(found)))
            encoded = self._encoded[rows.start + block.start : rows.start + block.stop]
            place, index = _jaccard_index(encoded, self._gallery)
            found[block].reshape(-1)[place] += weight * index
        return found

    def _weigh(self, neighbours: csr_array, near: csr_array) -> csr_array:
        """Weigh the pairs in `neighbours` by exp(-distance), each row divided by its sum.

        `near` has the weights of the nearest; the others are computed.
        """
        pairs = csr_array(neighbours > 0).astype(np.float32)
        known = csr_array(pairs.multiply(near))
        other = csr_array(pairs - (known > 0))
        for i in np.flatnonzero(np.diff(other.indptr)):
            row = slice(other.indptr[i], other.indptr[i + 1])
            # not by BLAS: it would round by the number of threads
            cosine = np.einsum("ij,j->i", self._features[other.indices[row]], self._features[i])
            other.data[row] = np.exp(-_squared_distance(cosine) / self._largest[i])
        weights = csr_array(known + other)
        owners = np.repeat(np.arange(len(self._features)), np.diff(weights.indptr))
        sums = np.bincount(owners, weights.data, minlength=len(self._features))
        weights.data /= sums[owners].astype(np.float32)
        return weights


def _cosines(features: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Multiply unit features (B, F) and (N, F): (B, N) float32."""
    products = np.empty((len(features), len(others)), np.float32)
    multiply(features, others, products)
    return products


def _squared_distance(cosine: np.ndarray) -> np.ndarray:
    return np.maximum(2 - 2 * cosine, 0)  # rounding can fall below 0


def _nearest(features: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the nearest images of each, itself included, ties by index; cosines, largest distance.

    (N, K) int64 and (N, K) float32 with K = min(count, N), and (N,) float32.
    """
    nearest, cosines, largest = [], [], []
    for rows in blocks(len(features), len(features)):
        block = _cosines(features[rows], features)
        found = highest_of_each(block, count)
        nearest.append(found)
        cosines.append(np.take_along_axis(block, found, axis=1))
        largest.append(_squared_distance(block.min(axis=1)))
    tiny = np.finfo(np.float32).tiny
    return (
        np.concatenate(nearest),
        np.concatenate(cosines),
        np.maximum(np.concatenate(largest), tiny),
    )


def highest_of_each(scores: np.ndarray, count: int) -> np.ndarray:
    """Apply `highest` to each row of `scores` (B, N): (B, K) int64."""
    best, indices = torch.topk(torch.from_numpy(scores), min(count + 1, scores.shape[1]))
    values, columns = best.numpy(), indices.numpy()
    order = np.lexsort((columns[:, :count], -values[:, :count]))
    found = np.take_along_axis(columns[:, :count], order, axis=1)
    if values.shape[1] > count:  # ties with the next one
        for row in np.flatnonzero(values[:, count - 1] == values[:, count]):
            found[row] = highest(scores[row], count)
    return found


def _rows(columns: np.ndarray, values: np.ndarray) -> csr_array:
    """Return the matrix (N, N) with `values` (N, K) in the `columns` (N, K) of its rows."""
    starts = np.arange(len(columns) + 1) * columns.shape[1]
    return csr_array((values.ravel(), columns.ravel(), starts), (len(columns), len(columns)))


def _membership(nearest: np.ndarray, k: int) -> csr_array:
    """Mark the k nearest images of each: (N, N) of 0 and 1."""
    columns = nearest[:, :k]
    return _rows(columns, np.ones(columns.shape, np.float32))


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


def _jaccard_index(encoded: csr_array, gallery: csc_array) -> tuple[np.ndarray, np.ndarray]:
    """Compute the Jaccard indices of encodings (B, N) and (G, N) that are above 0.

    Returns their places in the raveled (B, G) matrix, int64, and their values, float32.
    """
    starts = gallery.indptr[encoded.indices]
    counts = gallery.indptr[encoded.indices + 1] - starts  # of the gallery images in each column
    shared = np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    smaller = np.minimum(np.repeat(encoded.data, counts), gallery.data[shared])
    row = np.repeat(np.arange(encoded.shape[0]), np.diff(encoded.indptr))
    place = np.repeat(row * gallery.shape[0], counts) + gallery.indices[shared]
    sums = np.bincount(place, smaller)
    place = np.flatnonzero(sums)
    overlap = sums[place]
    return place, (overlap / (2 - overlap)).astype(np.float32)
