from __future__ import annotations

import multiprocessing
import os
import signal
import time
from functools import partial

import pytest

from pipeline.errors import InputError
from pipeline.world.workers import map_in_processes

REFUSED = -2


class Work:
    """Squares numbers; an odd one takes a little longer."""

    def __init__(self, bad: int = -1, error: type[Exception] = InputError) -> None:
        if bad == REFUSED:
            raise error("no worker")
        self.bad, self.error = bad, error

    def __call__(self, job: int) -> int:
        if job == self.bad:
            raise self.error(f"job {job}: cannot be done")
        time.sleep(0.01 * (job % 2))
        return job * job


def killed(job: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return job


def make_killed():
    return killed


@pytest.mark.parametrize(("processes", "chunk"), [(1, 4), (2, 1), (3, 4)])
def test_results_are_in_the_order_of_the_jobs(processes: int, chunk: int) -> None:
    found = list(map_in_processes(Work, range(11), processes, chunk))
    assert found == [job * job for job in range(11)]
    assert multiprocessing.active_children() == []


def test_no_jobs_give_no_results() -> None:
    assert list(map_in_processes(Work, [], 2)) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_error_of_a_job_is_raised(processes: int) -> None:
    results = map_in_processes(partial(Work, 5), range(9), processes, chunk=2)
    with pytest.raises(InputError, match="job 5: cannot be done"):
        list(results)
    assert multiprocessing.active_children() == []


def test_error_of_a_worker_that_cannot_be_made_is_raised() -> None:
    with pytest.raises(InputError, match="no worker"):
        list(map_in_processes(partial(Work, REFUSED), range(4), 2))


def test_unexpected_error_has_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        list(map_in_processes(partial(Work, 1, ZeroDivisionError), range(2), 2, chunk=1))
    assert "in __call__" in str(raised.value.__cause__)


def test_killed_process_is_an_error() -> None:
    with pytest.raises(InputError, match=r"process was killed.*--cores 1"):
        list(map_in_processes(make_killed, range(4), 2, chunk=1))
    assert multiprocessing.active_children() == []


def test_closing_the_results_ends_the_processes() -> None:
    results = map_in_processes(Work, range(1_000), 2, chunk=1)
    assert next(results) == 0
    results.close()
    assert multiprocessing.active_children() == []
