"""Several processes that render, with results in order and the same whatever their number."""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from pipeline.errors import InputError

Job = TypeVar("Job")
Result = TypeVar("Result")

_SPAWN = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang


def map_in_processes(
    make: Callable[[], Callable[[Job], Result]],
    jobs: Sequence[Job],
    processes: int,
    chunk: int = 16,
) -> Iterator[Result]:
    """Results of `make()(job)` for all jobs, in their order.

    `make`, which can be pickled, is called once in each process, or here if there is only one.
    A process does `chunk` jobs at once: neighbours may share what is costly to make. Raises what a
    job raises, and InputError when a process is killed.
    """
    if processes == 1:
        yield from map(make(), jobs)
        return
    chunks = [jobs[start : start + chunk] for start in range(0, len(jobs), chunk)]
    workers = [_Worker(make, chunks[first::processes]) for first in range(processes)]
    try:
        for number in range(len(chunks)):
            owner = workers[number % processes]
            while not owner.done:
                _receive(workers)
            yield from owner.done.popleft()
    finally:
        for worker in workers:
            worker.process.terminate()
            worker.process.join()


class _Worker:
    """A process with its share of the chunks, and the results that it has sent."""

    def __init__(
        self, make: Callable[[], Callable[[Any], Any]], chunks: Sequence[Sequence[Any]]
    ) -> None:
        self.results, sender = _SPAWN.Pipe(duplex=False)
        self.left = len(chunks)
        self.done = deque[list[Any]]()
        self.process = _SPAWN.Process(target=_work, args=(make, chunks, sender), daemon=True)
        self.process.start()
        sender.close()  # the pipe ends with the process

    def receive(self) -> None:
        """Take the results of one chunk."""
        try:
            message = self.results.recv()
        except EOFError:
            self.process.join()
            raise InputError(
                f"a process that renders ended with code {self.process.exitcode}: it may have been "
                "killed for its memory; run again, with --cores 1 if it happens again"
            ) from None
        if isinstance(message, Exception):
            raise message
        self.left -= 1
        self.done.append(message)


def _receive(workers: Sequence[_Worker]) -> None:
    """Wait for the next results, whosever they are."""
    busy = {worker.results: worker for worker in workers if worker.left}
    for results in wait(list(busy)):
        busy[results].receive()  # type: ignore[index]


def _work(
    make: Callable[[], Callable[[Any], Any]], chunks: Sequence[Sequence[Any]], results: Connection
) -> None:
    """Do all jobs and send the results of each chunk, or the first error."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches the parent too, which reports it
    with suppress(BrokenPipeError):  # the parent was killed
        try:
            work = make()
            for chunk in chunks:
                results.send([work(job) for job in chunk])
        except Exception as error:
            if isinstance(error, BrokenPipeError):
                raise
            error.add_note(traceback.format_exc())
            results.send(error)
