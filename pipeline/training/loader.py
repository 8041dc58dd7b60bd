"""Batches of two views, loaded in this process or in worker processes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, get_worker_info

from pipeline.errors import InputError
from pipeline.ranks import ALONE, Ranks
from pipeline.training.sampling import PKBatchSampler
from pipeline.training.views import TrainingBatch, TwoViews, View

_WORKER_DIED = re.compile("DataLoader worker.*(killed by signal|exited unexpectedly)")
_CONNECTION_ERRORS = (ConnectionResetError, ConnectionRefusedError, EOFError)
"""Raised by the socket to a worker that dies while it sends a batch."""
_OUT_OF_MEMORY = re.compile("DataLoader worker(.|\n)*(MemoryError|allocate memory)")


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
        _stack(clean), _stack(second), torch.tensor(labels), torch.tensor(cameras)
    )
    if get_worker_info() is not None:
        # torch shares memory in a thread and swallows its errors; the loader would hang
        for tensor in batch:
            tensor.share_memory_()
    return batch


def _stack(images: tuple[np.ndarray, ...]) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)  # (B, 3, H, W), channels last


@contextmanager
def explain_worker_errors(workers: int) -> Iterator[None]:
    """Raise InputError if one of the `workers` dies or runs out of memory.

    torch raises as soon as a worker dies, whatever this process is doing.
    """
    try:
        yield
    except (RuntimeError, MemoryError, *_CONNECTION_ERRORS) as error:
        text = str(error).strip() or "end of file"
        known = _WORKER_DIED.search(text) or _OUT_OF_MEMORY.search(text)
        if not (known or isinstance(error, _CONNECTION_ERRORS)):
            raise
        found = text.splitlines()[-1].rstrip(". ")
        raise InputError(
            f"config: compute.workers: expected {workers} loader processes, found: {found}: "
            "memory may be full: lower compute.workers (changes no result) and run the same "
            "command again; it resumes from the last checkpoint"
        ) from None
