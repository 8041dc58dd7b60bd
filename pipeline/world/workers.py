"""Render in several processes; order and content of the results do not depend on their number."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from threading import Thread
from typing import Any, TypeVar

from pipeline.errors import InputError

Job = TypeVar("Job")
Result = TypeVar("Result")


def map_in_processes(
    make: Callable[[], Callable[[Job], Result]],
    jobs: Sequence[Job],
    processes: int,
    chunk: int = 16,
) -> Iterator[Result]:
    """Yield `make()(job)` for all jobs, in their order.

    `make`, which can be pickled, is called once in each process, or here if there is only one.
    A process does `chunk` consecutive jobs, which may share what is costly to make. Raises what a
    job raises, and InputError when a process is killed.
    """
    if processes == 1:
        yield from map(make(), jobs)
        return
    spawn = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    pool = ProcessPoolExecutor(processes, spawn, _start, (make,))
    try:
        yield from pool.map(_do, jobs, chunksize=chunk)
    except BrokenProcessPool:
        raise InputError(
            "a rendering process was killed, perhaps for its memory: run again, with --cores 1 if "
            "it happens again"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _start(make: Callable[[], Callable[[Any], Any]]) -> None:
    """Prepare a process; `make` runs with the first job, so that the parent sees its error."""
    global _worker
    _worker = lru_cache(1)(make)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches the parent too, which reports it
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(job: Any) -> Any:
    return _worker()(job)


_worker: Callable[[], Callable[[Any], Any]]
"""Returns the worker of this process of the pool."""
