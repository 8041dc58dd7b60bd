"""The processes that share a training or an embedding, called ranks.

In training, each rank runs the backbone on its part of a batch. `Ranks.gather` joins the parts, so
heads, losses, memory banks and optimiser compute the same values from the whole batch on every
rank, as one process does. In embedding, each rank has every n-th batch.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

from pipeline.errors import InputError
from pipeline.options.compute import ComputeOptions

T = TypeVar("T")
GRACE = 3.0
"""Seconds that a rank waits before it reports a lost one: the first to end is named as cause."""


@dataclass(frozen=True)
class Ranks:
    """This process among the ranks; by default it is the only one."""

    number: int = 0
    count: int = 1
    timeout: int = 0
    """Seconds after which a rank that does not answer is an error."""

    @property
    def first(self) -> bool:
        """Whether this rank writes the files."""
        return self.number == 0

    def part(self, batch: list[Any]) -> list[Any]:
        """Return this rank's part of a batch, whose length is a multiple of the number of ranks."""
        size = len(batch) // self.count
        return batch[self.number * size : (self.number + 1) * size]

    def gather(self, values: Any, views: int = 1) -> Any:
        """Join the parts of all ranks, in their order within each of the `views` of the batch.

        `values` are a tensor (views b, ...), None, or a named tuple of these. Gradients flow to the
        rank's own part only: every rank computes the whole loss.
        """
        if values is None or self.count == 1:
            return values
        if not isinstance(values, Tensor):
            return type(values)(*(self.gather(value, views) for value in values))
        own = values.detach().contiguous()
        parts = [torch.empty_like(own) for _ in range(self.count)]
        with self._answered():
            distributed.all_gather(parts, own)
        parts[self.number] = values
        by_view = zip(*(part.chunk(views) for part in parts), strict=True)
        return torch.cat([part for view in by_view for part in view])

    def in_turn(self, own: Iterator[T]) -> Iterator[T]:
        """Yield the items of all ranks: the first of each, then the second of each, and so on.

        Every rank has as many as the next one, or one more.
        """
        if self.count == 1:
            yield from own
            return
        while True:
            found: list[T | None] = [None] * self.count
            item = next(own, None)
            with self._answered():
                distributed.all_gather_object(found, item)
            yield from (each for each in found if each is not None)
            if None in found:
                return

    def sum(self, values: Tensor) -> Tensor:
        """Add the tensors of all ranks, in place."""
        if self.count > 1:
            with self._answered():
                distributed.all_reduce(values)
        return values

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add the gradients of all ranks, all at once."""
        if self.count == 1:
            return
        gradients = [each.grad for each in parameters if each.grad is not None]
        sums = self.sum(torch.cat([each.reshape(-1) for each in gradients]))
        parts = sums.split([each.numel() for each in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def agree(self, number: int) -> int:
        """Return the largest number of any rank; waits until all ranks have called it."""
        if self.count == 1:
            return number
        numbers = torch.tensor(number)
        with self._answered():
            distributed.all_reduce(numbers, distributed.ReduceOp.MAX)
        return int(numbers)

    @contextmanager
    def first_before_others(self) -> Iterator[None]:
        """Run the block on the first rank, then on the others."""
        if not self.first:
            self.agree(0)
        yield
        if self.first:
            self.agree(0)

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """Raise InputError if another rank has died or hangs."""
        try:
            yield
        except RuntimeError as error:
            time.sleep(GRACE)
            found = str(error).splitlines()[0]
            raise InputError(
                f"compute.gpus: rank {self.number} of {self.count} expected an answer from every "
                f"other rank within {self.timeout} s (compute.rank_timeout), found: {found}: run "
                "the same command again; a training resumes from its last checkpoint"
            ) from None


ALONE = Ranks()


@contextmanager
def joined_ranks(compute: ComputeOptions, device: torch.device) -> Iterator[Ranks]:
    """Join the ranks that `pipeline.elastic` started; yield a single one for `compute.gpus` 1.

    On a GPU, rank i takes GPU i. Raises InputError if there are fewer GPUs than ranks.
    """
    if compute.gpus == 1:
        yield ALONE
        return
    ranks = Ranks(int(os.environ["RANK"]), compute.gpus, compute.rank_timeout)
    if device.type == "cuda":
        _take_gpu(ranks)
    elif ranks.first:
        print(f"compute.gpus: {ranks.count} CPU processes (gloo)", file=sys.stderr)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=timedelta(seconds=ranks.timeout))
    yield ranks
    distributed.destroy_process_group()


def _take_gpu(ranks: Ranks) -> None:
    found = torch.cuda.device_count()
    if found < ranks.count:
        raise InputError(
            f"config: compute.gpus: found {ranks.count}, but torch finds {found} CUDA devices: "
            "give at most that"
        )
    torch.cuda.set_device(ranks.number)
