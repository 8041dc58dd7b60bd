"""The start of a training and the order of an epoch with millions of images; large shards.

    python -m benchmarks.scale                             # 4 million images of 100,000 identities
    python -m benchmarks.scale --images 200000 --gigabytes 0.1

The index is made up and has no images; one shard of random bytes is real. A training also hashes
all its shards once at the start, which takes as long for each gigabyte as hashing this shard took.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.rows import Row
from pipeline.data.shards import Sample, ShardReader, verify, write_index, write_shards
from pipeline.data.training_images import TrainingImages
from pipeline.files import sha256, write_json
from pipeline.options.run import ImageOptions, TrainingOptions
from pipeline.training.record import peak_memory_mib
from pipeline.training.sampling import PKBatchSampler, epoch_batches

PER_IDENTITY = 40
"""Images of an identity, on average; LUPerson-NL has 10 million of 433,997, which is 25."""
IMAGE_BYTES = 20_000
SAMPLERS = ("identities", "random_identity")
READS = 20_000


def write_made_up_index(folder: Path, images: int) -> None:
    """Write index.csv and shards.json of a training split, but no tars."""
    rng = np.random.default_rng(0)
    numbers = np.arange(images)
    table = pd.DataFrame(
        {
            "shard": pd.Series(numbers // 40_000).map("train-{:06d}.tar".format),
            "key": pd.Series(numbers).map("{:010d}_c1s1_000000_00".format),
            "suffix": "jpg",
            "offset": 512 + numbers % 40_000 * (IMAGE_BYTES + 1536),
            "size": IMAGE_BYTES,
            "identity": np.sort(rng.integers(0, max(1, images // PER_IDENTITY), images)),
            "camera": rng.integers(1, 16, images),
        }
    )
    table.to_csv(folder / "index.csv", index=False)
    write_json(folder / "shards.json", {"index.csv": _facts(folder / "index.csv")})


def _facts(path: Path) -> dict[str, str | int]:
    return {"sha256": sha256(path), "bytes": path.stat().st_size}


def measure_start(folder: Path) -> list[Row]:
    """Measure the CPU time of a training's start and of the first epoch's order, and the memory."""
    started = time.process_time()
    images = TrainingImages(ShardReader(folder, "train"), ImageOptions())
    options = TrainingOptions(identities=16, images=4, sampler="identities")
    batches = iter(PKBatchSampler(images.labels, options, seed=0))
    next(batches)
    what = f"{len(images):,} images of {images.identities:,} identities"
    rows = [Row(f"start of a training, {what}", time.process_time() - started, "s", "at most 20")]
    for sampler in SAMPLERS:
        own = options.model_copy(update={"sampler": sampler})
        started = time.process_time()
        count = len(epoch_batches(images.labels, own, 0, 1))
        work = f"an epoch's order, {count:,} steps, `sampler: {sampler}`"
        rows.append(Row(work, time.process_time() - started, "s", "at most 5"))
    return [*rows, Row("memory of both", peak_memory_mib() / 1024, "GiB", "at most 1.5")]


def write_shard(folder: Path, gigabytes: float) -> None:
    """Write a shard of random bytes, and its index."""
    rng = np.random.default_rng(0)
    count = round(gigabytes * 1e9 / IMAGE_BYTES)
    meta = {"identity": 1, "camera": 1}
    samples = (Sample(f"{i:06d}", "jpg", rng.bytes(IMAGE_BYTES), meta) for i in range(count))
    write_index(folder, write_shards(folder, "train", samples, per_shard=count))


def measure_shard(folder: Path) -> list[Row]:
    """Measure hashing the shard and reading its images in random order."""
    size = (folder / "train-000000.tar").stat().st_size / 1e9
    started = time.process_time()
    verify(folder)
    what = f"a shard of {size:.2f} GB"
    rows = [Row(f"hashing {what}", (time.process_time() - started) / size, "s a GB")]
    reader = ShardReader(folder, "train")
    started = time.process_time()
    for i in np.random.default_rng(1).integers(0, len(reader), READS).tolist():
        reader.read(i)
    spent = 1e6 * (time.process_time() - started) / READS
    return [*rows, Row(f"reading an image of {what} at random", spent, "us")]


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Measure each part in a process of its own; print and return the rows."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--images", type=int, default=4_000_000, help="default: 4000000")
    parser.add_argument("--gigabytes", type=float, default=1.0, help="of the shard; default: 1")
    given = parser.parse_args(arguments)
    context = multiprocessing.get_context("spawn")
    # each part in a process of its own, also because a process hashes a file once
    with tempfile.TemporaryDirectory() as name, context.Pool(1, maxtasksperchild=1) as pool:
        index, shards = Path(name, "index"), Path(name, "shards")
        index.mkdir()
        shards.mkdir()
        write_made_up_index(index, given.images)
        rows = pool.apply(measure_start, (index,))
        write_shard(shards, given.gigabytes)
        rows += pool.apply(measure_shard, (shards,))
    for row in rows:
        print(f"{row.work}: {row.measured}")
    return rows


if __name__ == "__main__":
    main()
