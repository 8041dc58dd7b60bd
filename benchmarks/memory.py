"""The memory of writing features and of scoring a run on a test set of MSMT17's size.

    python -m benchmarks.memory                    # 1,000 of its 11,659 queries, float32
    python -m benchmarks.memory --dtype float16    # evaluation.feature_dtype

Random features of `WIDTHS` in batches, as the network gives them. The functions of the stages
`embed` and `score` run in a process each; its peak includes the pages of the file that it maps.
Needs 5 GB of disk.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.rows import Row
from pipeline.data.datasets import DATASETS
from pipeline.evaluation.features import read_features, write_split
from pipeline.evaluation.queries import write_queries
from pipeline.evaluation.score import rank_features
from pipeline.options.evaluation import EvaluationOptions
from pipeline.training.record import peak_memory_mib

MSMT17 = DATASETS["msmt17_train"]
GALLERY = MSMT17.counts["gallery"].images
HIGHEST = {"identities": MSMT17.counts["gallery"].identities, "cameras": len(MSMT17.cameras)}
WIDTHS = {"global": 768, "coarse": 3072, "blended": 3072}
"""Of a ViT-B's features with four parts."""
BATCH = 128
"""Images of a batch; importing the stage for it would take timm and its memory."""


def write_features(path: Path, queries: int, gallery: int, dtype: str) -> float:
    """Write random features; returns the peak memory of this process in GiB."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for split, count in (("query", queries), ("gallery", gallery)):
            labels = {"keys": np.array([f"{split}{i:07d}" for i in range(count)])}
            for name, highest in HIGHEST.items():
                labels[name] = rng.integers(1, highest + 1, count)
            write_split(archive, split, labels, random_batches(count, dtype, rng))
    return peak_memory_mib() / 1024


def random_batches(
    images: int, dtype: str, rng: np.random.Generator
) -> Iterator[dict[str, np.ndarray]]:
    """Yield features of the test set, batch by batch."""
    for first in range(0, images, BATCH):
        rows = min(BATCH, images - first)
        yield {
            name: rng.standard_normal((rows, width), np.float32).astype(dtype)
            for name, width in WIDTHS.items()
        }


def score_memory(path: Path) -> float:
    """Return the peak memory of this process in GiB after it has scored the features."""
    arrays = read_features(path)
    write_queries(path.with_name("queries.csv"), arrays, rank_features(arrays, EvaluationOptions()))
    return peak_memory_mib() / 1024


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Measure, print and return the peak memory."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--queries", type=int, default=1000, help="default: 1000")
    parser.add_argument("--gallery", type=int, default=GALLERY, help="default: MSMT17's")
    parser.add_argument("--dtype", choices=["float32", "float16"], default="float32")
    given = parser.parse_args(arguments)
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "features.npz")
        with context.Pool(1) as pool:
            sizes = given.queries, given.gallery
            written = pool.apply(write_features, (path, *sizes, given.dtype))
        with context.Pool(1) as pool:
            scored = pool.apply(score_memory, (path,))
    test_set = " x ".join(f"{count:,}" for count in sizes)
    size = f"{test_set}, five features of up to 3,840 {given.dtype}: memory"
    rows = [
        Row(f"writing {size} without the network's", written, "GiB", "below 3"),
        Row(f"scoring {size}", scored, "GiB", "below 3"),
    ]
    for row in rows:
        print(f"{row.work}: {row.measured}")
    return rows


if __name__ == "__main__":
    main()
