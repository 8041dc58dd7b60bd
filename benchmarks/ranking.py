"""The time of ranking and re-ranking beside that of the distances, and the memory at MSMT17's size.

    python -m benchmarks.ranking                     # a quarter of Market-1501 in each direction
    python -m benchmarks.ranking --queries 3368 --gallery 15913     # Market-1501
    python -m benchmarks.ranking --queries 11659 --gallery 82161 --width 256 --ours    # MSMT17

Random features around a centre for each identity. The works run in one process, on the same
features; times are CPU seconds. Rankings take turns, and the best of `--rounds` counts. Peers: the
algorithm of torchreid's and fast-reid's evaluation, and re-ranking with dense arrays as in the
authors' release, both rewritten from their description. `--ours` leaves the peers out and prints
the peak memory.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch

from benchmarks.rows import Row
from benchmarks.timing import least_times
from pipeline.evaluation.blocks import blocks
from pipeline.evaluation.features import Labels
from pipeline.evaluation.metrics import Ranking, l2_normalise, rank_similarities
from pipeline.evaluation.rerank import Reranking
from pipeline.evaluation.score import rank_features
from pipeline.evaluation.similarity import cosine_similarity, multiply
from pipeline.options.evaluation import EvaluationOptions, RerankOptions

IMAGES = 20
"""Gallery images of an identity."""
CAMERAS = 6
NOISE = 2.5
"""Standard deviation of the features around their centre, whose standard deviation is 1."""
LIMITS = {"ranking": "at most 1.3", "re-ranking": "at least 20"}
PLAIN = EvaluationOptions()
RERANK = RerankOptions()


class Case(NamedTuple):
    """Features and labels of queries and gallery."""

    query: np.ndarray
    gallery: np.ndarray
    query_labels: Labels
    gallery_labels: Labels

    def blocks(self) -> Iterator[slice]:
        """Yield the rows of the queries."""
        return blocks(len(self.query), len(self.gallery))

    def arrays(self, *features: str) -> dict[str, np.ndarray]:
        """Return the arrays of a features file in which all `features` are the same."""
        found: dict[str, np.ndarray] = {}
        for split, values, labels in zip(("query", "gallery"), self[:2], self[2:], strict=True):
            found |= {f"{split}_identities": labels.identities, f"{split}_cameras": labels.cameras}
            found |= {f"{split}_{name}": values for name in features}
        return found

    def distances(self, rows: slice) -> np.ndarray:
        """Compute minus the cosine similarity of the queries `rows`, (B, G) float32."""
        similarity = cosine_similarity(self.query[rows], self.gallery)
        return np.negative(similarity, out=similarity)

    def peers(self, rows: slice) -> np.ndarray:
        """Return the average precision of the queries `rows` by the peers' algorithm."""
        labels = Labels(*(column[rows] for column in self.query_labels))
        return sort_ranking(self.distances(rows), labels, self.gallery_labels)


def random_case(queries: int, gallery: int, width: int, seed: int = 0) -> Case:
    """Draw `queries` and `gallery` images of gallery / `IMAGES` identities."""
    rng = np.random.default_rng(seed)
    identities = max(gallery // IMAGES, 1)
    centres = rng.standard_normal((identities, width), np.float32)
    columns: list[np.ndarray] = []
    labels: list[Labels] = []
    for count in (queries, gallery):
        owners = rng.integers(0, identities, count)
        features = rng.standard_normal((count, width), np.float32)
        features *= NOISE
        features += centres[owners]
        columns.append(features)
        labels.append(Labels(owners + 1, rng.integers(0, CAMERAS, count)))
    return Case(columns[0], columns[1], labels[0], labels[1])


def sort_ranking(distances: np.ndarray, query: Labels, gallery: Labels) -> np.ndarray:
    """Return the average precision of each query by the peers' algorithm: sort, then loop."""
    order = np.argsort(distances, axis=1)
    hits = gallery.identities[order] == query.identities[:, None]
    found = []
    for i, row in enumerate(order):
        own = hits[i] & (gallery.cameras[row] == query.cameras[i])
        hit = hits[i][~own]
        precision = hit.cumsum() / np.arange(1, len(hit) + 1)
        found.append((precision * hit).sum() / hit.sum() if hit.any() else np.nan)
    return np.array(found)


def dense_reranking(distances: np.ndarray, queries: int, options: RerankOptions) -> np.ndarray:
    """Return the re-ranked distances (Q, G) from `distances` (N, N), one image at a time."""
    distances = distances / distances.max(axis=1, keepdims=True)
    order = np.argsort(distances, axis=1)
    encoded = np.zeros_like(distances)
    for i in range(len(order)):
        near = _expanded(order, i, options.k1)
        weights = np.exp(-distances[i, near])
        encoded[i, near] = weights / weights.sum()
    if options.k2 > 1:
        encoded = np.stack([encoded[row[: options.k2]].mean(axis=0) for row in order])
    jaccard = _dense_jaccard(encoded, queries)
    weight = options.lambda_value
    return ((1 - weight) * jaccard + weight * distances[:queries])[:, queries:]


def _reciprocal(order: np.ndarray, i: int, k: int) -> np.ndarray:
    near = order[i, : k + 1]
    return near[(order[near, : k + 1] == i).any(axis=1)]


def _expanded(order: np.ndarray, i: int, k1: int) -> np.ndarray:
    own = _reciprocal(order, i, k1)
    found = [own]
    for j in own:
        candidates = _reciprocal(order, j, round(k1 / 2))
        if len(np.intersect1d(candidates, own)) > 2 / 3 * len(candidates):
            found.append(candidates)
    return np.unique(np.concatenate(found))


def _dense_jaccard(encoded: np.ndarray, queries: int) -> np.ndarray:
    """Compute the Jaccard distances (Q, N) with an inverted index of the columns."""
    images = [np.flatnonzero(column) for column in encoded.T]
    jaccard = np.empty_like(encoded[:queries])
    for i, row in enumerate(encoded[:queries]):
        shared = np.zeros(len(encoded), encoded.dtype)
        for j in np.flatnonzero(row):
            shared[images[j]] += np.minimum(row[j], encoded[images[j], j])
        jaccard[i] = 1 - shared / (2 - shared)
    return jaccard


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds of a work, and its result."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def measure_ranking(case: Case, peers: bool, rounds: int) -> list[Row]:
    """Print the time of ranking by one feature and by five, as multiples of the distances'."""
    size = f"{len(case.query):,} x {len(case.gallery):,}"
    one, five = case.arrays("global"), case.arrays("global", "coarse", "blended")
    works: dict[str, Callable[[], object]] = {
        "distances": lambda: [case.distances(rows) for rows in case.blocks()],
        "one": lambda: rank_features(one, PLAIN),
        "five": lambda: rank_features(five, PLAIN),
    }
    if peers:
        works["peers"] = lambda: [case.peers(rows) for rows in case.blocks()]
    times = least_times(works, rounds)
    base, limit = times["distances"], LIMITS["ranking"]
    report("distances alone", base, base)
    report("distances and ranking", times["one"], base, f"aim: {limit}")
    report("five features", times["five"], 3 * base, "of three distances")
    rows = [
        Row(f"distances and ranking, {size}", times["one"] / base, "x the distances", limit),
        Row(
            f"the same for five features, {size}",
            times["five"] / base / 3,
            "x three distances",
            limit,
        ),
    ]
    if not peers:
        return rows
    report("distances and the peers' ranking", times["peers"], base)
    ours = rank_features(one, PLAIN)["global"].average_precision
    theirs = np.concatenate([case.peers(rows) for rows in case.blocks()])
    print(f"largest difference in average precision: {np.nanmax(np.abs(theirs - ours)):.1e}")
    name = f"torchreid's and fast-reid's, {size}"
    return [*rows, Row(name, times["peers"] / base, "x the distances")]


def measure_reranking(case: Case, peers: bool) -> list[Row]:
    """Print the time of re-ranking without the distances, beside the dense algorithm's.

    Unit features and their products make up the distances, which the dense algorithm is given.
    """
    parts: list[float] = []

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arrays: np.ndarray) -> Any:
            spent, result = seconds(lambda: function(*arrays))
            parts.append(spent)
            return result

        return run

    with mock.patch.multiple(
        "pipeline.evaluation.rerank",
        multiply=timed(multiply),
        l2_normalise=timed(l2_normalise),
    ):
        ours, found = seconds(lambda: rerank(case, keep=peers))
    base = sum(parts)
    report("distances alone", base, base)
    report("distances and re-ranking", ours, base)
    if not peers:
        return []
    features = l2_normalise(np.concatenate([case.query, case.gallery]))
    distances = all_distances(features)
    dense, expected = seconds(lambda: dense_reranking(distances, len(case.query), RERANK))
    report("dense re-ranking of given distances", dense, base)
    ratio, aim = dense / (ours - base), LIMITS["re-ranking"]
    print(f"re-ranking without the distances: dense / ours {ratio:.1f} (aim: {aim})")
    compare(*(rank_similarities(each, *case[2:]) for each in (np.concatenate(found), -expected)))
    size = f"{len(case.query):,} x {len(case.gallery):,}"
    return [
        Row(
            f"re-ranking without the distances, {size}", ratio, "x the dense algorithm's speed", aim
        )
    ]


def compare(ours: Ranking, other: Ranking) -> None:
    """Print how far two rankings agree; those of distances that tie in float32 may differ."""
    same = (ours.top == other.top).all(axis=1).mean()
    gap = np.nanmax(np.abs(ours.average_precision - other.average_precision))
    print(f"queries with the same ten best: {100 * same:.2f} %; AP differs by {gap:.1e} at most")


def all_distances(features: np.ndarray) -> np.ndarray:
    """Compute the squared distances of unit features (N, F): (N, N) float32."""
    products = np.empty((len(features), len(features)), np.float32)
    multiply(features, features, products)
    products *= -2
    products += 2
    return np.maximum(products, 0, out=products)


def rerank(case: Case, keep: bool) -> list[np.ndarray]:
    """Re-rank all queries; return the blocks of the similarity (Q, G) if `keep`, else the last."""
    reranking = Reranking(case.query, case.gallery, RERANK)
    found = []
    for rows in case.blocks():
        found.append(reranking.similarity(rows))
        del found[: 0 if keep else -1]
    return found


def report(name: str, value: float, base: float, note: str = "") -> None:
    print(f"{name:<38} {value:9.2f} s {value / base:7.2f} x  {note}", flush=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ranking", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--queries", type=int, default=842)
    parser.add_argument("--gallery", type=int, default=3978)
    parser.add_argument("--width", type=int, default=3072, help="of a feature")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ours", action="store_true", help="without the peers")
    parser.add_argument("--work", choices=["ranking", "re-ranking"], help="only one of the two")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Measure, print and return; times are relative to the distances' in the same run."""
    given = parse(arguments)
    case = random_case(given.queries, given.gallery, given.width)
    print(
        f"{given.queries} x {given.gallery}, width {given.width}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads; CPU seconds"
    )
    rows: list[Row] = []
    if given.work != "re-ranking":
        rows += measure_ranking(case, not given.ours, given.rounds)
    if given.work != "ranking":
        rows += measure_reranking(case, not given.ours)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"peak memory of the process: {peak:.2f} GB")
    return [*rows, Row("its memory", peak, "GB")] if given.ours else rows


if __name__ == "__main__":
    main()
