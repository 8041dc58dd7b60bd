"""Measure the search of a large gallery: recall@10 against the exact search, time and memory.

    OMP_NUM_THREADS=1 python -m benchmarks.search --images 100000 --hnsw

Features are synthetic: unit vectors around a random centre for every `IMAGES_PER_PERSON` images,
as are the queries, whose people are in the gallery. Times are CPU times of the process.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import faiss
import numpy as np

from pipeline.training.record import peak_memory_mib
from pipeline.use.nearest import build_index, find_nearest

IMAGES_PER_PERSON = 10
SPREAD = 0.8
"""Length of the deviation from a person's centre, which has length 1: images of a person have a
cosine similarity of about 0.6."""
TOP = 10
FRACTIONS = (1 / 128, 1 / 64, 1 / 32, 1 / 16)
"""Fractions of the cells that queries visit."""
LINKS = 32
"""Links of a node of the graph; FAISS's usual number."""
CANDIDATES = (64, 256, 1024)
"""Nodes of the graph that a query keeps while it searches."""


class People:
    """A source of random features of the same people."""

    def __init__(self, count: int, width: int) -> None:
        self._rng = np.random.default_rng(0)
        self._centres = self._vectors(count, width)

    def _vectors(self, count: int, width: int) -> np.ndarray:
        """Random vectors of length 1 on average."""
        return self._rng.standard_normal((count, width), dtype=np.float32) / np.float32(width**0.5)

    def features(self, count: int) -> np.ndarray:
        """Draw features (count, width) float32 of unit length, of random people."""
        centres = self._centres
        found = self._vectors(count, centres.shape[1])
        found *= SPREAD
        for feature, person in zip(found, self._rng.integers(0, len(centres), count), strict=True):
            feature += centres[person]
            feature /= np.linalg.norm(feature)
        return found


def recall(found: np.ndarray, exact: np.ndarray) -> float:
    """Return the fraction of the exact matches (Q, T) that were found."""
    shared = [len(np.intersect1d(*rows)) for rows in zip(found, exact, strict=True)]
    return sum(shared) / exact.size


def measure(images: int, width: int, queries: int, hnsw: bool = False) -> None:
    """Build and search a gallery, and print; with `hnsw` also by a graph of FAISS."""
    people = People(max(1, images // IMAGES_PER_PERSON), width)
    gallery, query = people.features(images), people.features(queries)
    print(
        f"{images} x {width} features, {queries} queries, {faiss.omp_get_max_threads()} threads; "
        f"features: {gallery.nbytes / 2**20:.0f} MiB"
    )
    start = time.process_time()
    _, exact = find_nearest(query, gallery, TOP)
    print(f"exact: {1e3 * (time.process_time() - start) / queries:.2f} ms a query")
    before, start = peak_memory_mib(), time.process_time()
    index = build_index(gallery)
    print(
        f"index of {index.nlist} cells: built in {time.process_time() - start:.0f} s; peak memory "
        f"{before:.0f} MiB before, {peak_memory_mib():.0f} MiB after"
    )
    for probed in FRACTIONS:
        search = partial(find_nearest, query, gallery, TOP, index, probed)
        report(f"1/{round(1 / probed)} of the cells", search, exact)
    if hnsw:
        measure_hnsw(gallery, query, exact)


def measure_hnsw(gallery: np.ndarray, query: np.ndarray, exact: np.ndarray) -> None:
    """Build and search a graph of neighbours (HNSW), and print."""
    start = time.process_time()
    graph = faiss.IndexHNSWFlat(gallery.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.add(gallery)
    print(f"HNSW with {LINKS} links: built in {time.process_time() - start:.0f} s")
    for candidates in CANDIDATES:
        graph.hnsw.efSearch = candidates
        report(f"HNSW, {candidates} candidates", partial(graph.search, query, TOP), exact)


def report(name: str, search: Callable[[], Any], exact: np.ndarray) -> None:
    """Print the recall and the time of a search that returns similarities and rows (Q, T)."""
    start = time.process_time()
    _, found = search()
    spent = 1e3 * (time.process_time() - start) / len(exact)
    print(f"{name}: recall@{TOP} {recall(found, exact):.4f}, {spent:.2f} ms a query")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.search", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--images", type=int, default=100_000, help="default: 100000")
    parser.add_argument("--width", type=int, default=768, help="of a feature; default: 768")
    parser.add_argument("--queries", type=int, default=1000, help="default: 1000")
    parser.add_argument("--hnsw", action="store_true", help="compare with FAISS's HNSW")
    given = parser.parse_args(arguments)
    measure(given.images, given.width, given.queries, given.hnsw)


if __name__ == "__main__":
    main()
