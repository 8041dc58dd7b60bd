"""Measure the CPU time of a call."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

SPEED_BATCHES = (1, 32)
"""Numbers of images in a batch, for measuring the speed of a network."""


def cpu_times(calls: Sequence[Callable[[], object]], repeats: int = 5) -> list[float]:
    """Return the smallest CPU time of each call, in seconds, of `repeats` after a first one.

    The calls take turns, so that other load on the machine slows all of them.
    """
    rounds = [[_cpu_time(call) for call in calls] for _ in range(repeats + 1)]
    return [min(times) for times in zip(*rounds[1:], strict=True)]


def _cpu_time(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start
