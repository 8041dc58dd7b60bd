"""Batches of two views, loaded in this process or in worker processes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader

from pipeline.data.workers import share_in_worker
from pipeline.ranks import ALONE, Ranks
from pipeline.training.pixels import stack_planes
from pipeline.training.sampling import PKBatchSampler
from pipeline.training.views import TrainingBatch, TwoViews, View


def load_batches(
    views: TwoViews, sampler: PKBatchSampler, workers: int, pin: bool, ranks: Ranks = ALONE
) -> Iterator[TrainingBatch]:
    """Yield the `TrainingBatch` of each item of `sampler`, or the rank's part of it.

    0 `workers` load in this process.
    """
    loader = DataLoader(
        views,
        batch_sampler=(ranks.part(batch) for batch in sampler),
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=pin,
        generator=torch.Generator(),  # otherwise it advances the global generator
        worker_init_fn=_start_process_group,
    )
    return iter(loader)


def _start_process_group(worker: int) -> None:
    """Leave the process group that Ctrl-C reaches: the training ends its workers after saving."""
    os.setpgrp()


def _collate(views: list[View]) -> TrainingBatch:
    clean, second, labels, cameras = zip(*views, strict=True)
    batch = TrainingBatch(
        stack_planes(clean), stack_planes(second), torch.tensor(labels), torch.tensor(cameras)
    )
    share_in_worker(batch)
    return batch
