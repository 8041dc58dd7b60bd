"""Time, memory and waits of a training step with each option of `compute` that costs or saves them.

    python -m benchmarks.training                                      # ViT-B/16, 2 x 8 images
    python -m benchmarks.training --images 64                          # the paper's, for a GPU
    python -m benchmarks.training --images 64 --rows bfloat16 compile
    python -m benchmarks.training --images 64 --backbone vit_large_patch16_224

Each row is a process of its own: the step of `dpeformer` with a real optimiser and memory bank.
Memory is the GPU's, or the resident memory of the process on a CPU. Waits are the places of a step
at which the host waits for the GPU, as torch's own check finds them. Ratios are to the first row.
Needs only torch, timm, numpy, pillow and pydantic.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from benchmarks.heads import IDENTITIES, random_batch
from benchmarks.rows import Row
from pipeline.device import choose_device, make_deterministic
from pipeline.model.build import build_model
from pipeline.options.compute import ComputeOptions
from pipeline.options.run import BackboneOptions, RunOptions
from pipeline.training.loop import Learner, make_memories
from pipeline.training.optimizer import make_optimizer
from pipeline.training.record import peak_memory_mib

WARM_UP = 3


class Cost(NamedTuple):
    """Cost of a training step."""

    milliseconds: float
    """Median over the rounds."""
    mebibytes: float
    """Peak memory of the process, with weights and optimiser."""
    waits: int | None
    """Places at which the host waits for the GPU; None on a CPU."""


def rows(images: int) -> dict[str, ComputeOptions]:
    """Return the compared options by name."""
    named: dict[str, dict[str, Any]] = {
        "float32": {},
        "bfloat16": {},
        "half": {"chunk": images},
        "eighth": {"chunk": max(1, images // 4)},
        "compile": {"compile": True},
    }
    return {
        name: ComputeOptions(precision="float32" if name == "float32" else "bfloat16", **values)
        for name, values in named.items()
    }


def measure(backbone: str, images: int, rounds: int, compute: ComputeOptions) -> Cost:
    """Measure steps on one random batch in this process."""
    device = choose_device(compute)
    make_deterministic(device)
    torch.manual_seed(0)
    options = RunOptions(backbone=BackboneOptions(name=backbone))
    model = build_model(
        options, IDENTITIES, pretrained=False, precision=compute.precision, device=device
    )
    model.chunk = compute.chunk
    memories = make_memories(model, IDENTITIES, options.loss, device)
    optimizer = make_optimizer(model, options.training)
    learner = Learner(model.train(), memories, optimizer, options, device, compiled=compute.compile)
    batch = random_batch(images, options)
    if device.type == "cuda":
        batch = type(batch)(*(part.pin_memory() for part in batch))
    times = [_timed(lambda: learner.step(batch), device) for _ in range(WARM_UP + rounds)]
    waits = _count_waits(lambda: learner.step(batch)) if device.type == "cuda" else None
    peak = torch.cuda.max_memory_allocated() / 2**20 if device.type == "cuda" else peak_memory_mib()
    return Cost(1e3 * statistics.median(times[WARM_UP:]), peak, waits)


def _timed(work: Callable[[], object], device: torch.device) -> float:
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def _count_waits(work: Callable[[], object]) -> int:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        work()
        torch.cuda.set_sync_debug_mode("default")
    places = [
        f"{each.filename}:{each.lineno}"
        for each in found
        if "called a synchronizing" in str(each.message)
    ]
    print(*places, sep="\n", end="\n" if places else "")
    return len(places)


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Measure each row in a process of its own; print and return it with its ratio to the first."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--backbone", default="vit_base_patch16_224", help="a timm ViT")
    parser.add_argument("--images", type=int, default=8, help="images; the network sees two views")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--rows",
        nargs="+",
        default=["float32", "bfloat16", "half", "eighth"],
        choices=list(rows(1)),
        help="all but float32 in bfloat16; half and eighth: compute.chunk of both views",
    )
    given = parser.parse_args(arguments)
    print(
        f"{given.backbone}, 2 x {given.images} images, torch {torch.__version__}, "
        f"{torch.cuda.get_device_name() if torch.cuda.is_available() else 'CPU'}"
    )
    context, first = multiprocessing.get_context("spawn"), None
    table: list[Row] = []
    for name in given.rows:
        compute = rows(given.images)[name]
        with context.Pool(1) as pool:
            cost = pool.apply(measure, (given.backbone, given.images, given.rounds, compute))
        first = first or cost
        waits = "not measured (no GPU)" if cost.waits is None else cost.waits
        slower, larger = cost.milliseconds / first.milliseconds, cost.mebibytes / first.mebibytes
        print(
            f"{name:<8} {cost.milliseconds:9.1f} ms {slower:6.2f} x {cost.mebibytes:8.0f} MiB "
            f"{larger:6.2f} x, waits: {waits}"
        )
        work = f"step of {given.backbone}, 2 x {given.images} images, {name}"
        table.append(Row(f"{work}: time", slower, f"x {given.rows[0]}"))
        table.append(Row(f"{work}: memory", larger, f"x {given.rows[0]}"))
        table.append(Row(f"{work}: waits for the GPU", cost.waits, "", "0"))
    return table


if __name__ == "__main__":
    main()
