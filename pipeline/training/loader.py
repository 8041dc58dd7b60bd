"""Batches of two views, from this process or from loader processes, and what may befall these."""

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
from pipeline.training.sampling import PKBatchSampler
from pipeline.training.views import TrainingBatch, TwoViews, View

_DEAD = re.compile("DataLoader worker.*(killed by signal|exited unexpectedly)")
_LOST = (ConnectionResetError, ConnectionRefusedError, EOFError)
"""What the socket to a worker raises that dies while it hands a batch over."""
_NO_MEMORY = re.compile("DataLoader worker(.|\n)*(MemoryError|allocate memory)")


def load_batches(
    views: TwoViews, sampler: PKBatchSampler, workers: int, pin: bool
) -> Iterator[TrainingBatch]:
    """The `TrainingBatch` of each item of `sampler` in order; `workers` = 0 is this process."""
    loader = DataLoader(
        views,
        batch_sampler=sampler,
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=pin,
        generator=torch.Generator(),  # else opening a loader would advance the global generator
        worker_init_fn=_leave_the_group,
    )
    return iter(loader)


def _leave_the_group(worker: int) -> None:
    """Ctrl-C goes to a whole process group: the training ends its workers, when it has saved."""
    os.setpgrp()


def _collate(views: list[View]) -> TrainingBatch:
    clean, second, labels, cameras = zip(*views, strict=True)
    batch = TrainingBatch(
        _stack(clean), _stack(second), torch.tensor(labels), torch.tensor(cameras)
    )
    if get_worker_info() is not None:
        # torch would do it in a thread, whose failure is lost: the batch was waited for for ever
        for tensor in batch:
            tensor.share_memory_()
    return batch


def _stack(images: tuple[np.ndarray, ...]) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)  # (B, 3, H, W), channels last


@contextmanager
def worker_faults(workers: int) -> Iterator[None]:
    """Say in words that one of the loader processes was killed or found no memory: InputError.

    torch raises for a dead one as soon as the system says so, wherever this process is.
    """
    try:
        yield
    except (RuntimeError, MemoryError, *_LOST) as error:
        text = str(error).strip() or "end of file"
        if not (isinstance(error, _LOST) or _DEAD.search(text) or _NO_MEMORY.search(text)):
            raise
        found = text.splitlines()[-1].rstrip(". ")
        raise InputError(
            f"config: compute.workers: expected {workers} loader processes to work to the end, "
            f"found: {found}: the memory may be full: lower it, which changes no result, and run "
            "the same command again: training goes on from its last checkpoint"
        ) from None
