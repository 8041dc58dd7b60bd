"""Times that can be compared: works take turns, and the best round of each counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch

Key = TypeVar("Key")


def least_times(
    works: Mapping[Key, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[Key, float]:
    """Return the least seconds of each work by `clock`; in a round, one follows the other."""
    least = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for key, work in works.items():
            started = clock()
            work()
            least[key] = min(least[key], clock() - started)
    return least


def clock_of(device: torch.device) -> Callable[[], float]:
    """Return a clock of seconds: CPU time, or with a GPU the time when its work has ended."""
    if device.type == "cpu":
        return time.process_time

    def now() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return now
