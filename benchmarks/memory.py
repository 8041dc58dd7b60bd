"""The memory of scoring a run on a test set of MSMT17's size.

    python -m benchmarks.memory                    # 1,000 of its 11,659 queries, float32
    python -m benchmarks.memory --dtype float16    # evaluation.feature_dtype

Random features of `WIDTHS` in the format of features.npz. The stage's functions run in a process of
their own; its peak includes the pages of the file that it has mapped.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.rows import Row
from pipeline.evaluation.features import read_features, write_array
from pipeline.evaluation.queries import write_queries
from pipeline.evaluation.score import rank_features
from pipeline.options.evaluation import EvaluationOptions
from pipeline.training.record import peak_memory_mib

GALLERY, IDENTITIES, CAMERAS = 82_161, 3060, 15
"""Of MSMT17's test set."""
WIDTHS = {"global": 768, "coarse": 3072, "blended": 3072}
"""Of a ViT-B's features with four parts."""


def write_features(path: Path, queries: int, dtype: str) -> None:
    """Write random features of `queries` queries and MSMT17's gallery."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for split, count in (("query", queries), ("gallery", GALLERY)):
            keys = np.array([f"{split}{i:07d}" for i in range(count)])
            write_array(archive, f"{split}_keys", keys)
            for name, highest in (("identities", IDENTITIES), ("cameras", CAMERAS)):
                write_array(archive, f"{split}_{name}", rng.integers(1, highest + 1, count))
            for name, width in WIDTHS.items():
                features = rng.standard_normal((count, width), np.float32)
                write_array(archive, f"{split}_{name}", features.astype(dtype))


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
    parser.add_argument("--dtype", choices=["float32", "float16"], default="float32")
    given = parser.parse_args(arguments)
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name, context.Pool(1) as pool:
        path = Path(name, "features.npz")
        write_features(path, given.queries, given.dtype)
        peak = pool.apply(score_memory, (path,))
    work = f"scoring {given.queries:,} x {GALLERY:,}, five features of up to 3,840 {given.dtype}"
    row = Row(f"{work}: memory", peak, "GiB", "below 3")
    print(f"{row.work}: {row.measured}")
    return [row]


if __name__ == "__main__":
    main()
