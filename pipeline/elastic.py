"""Run a stage in several processes by torch's elastic launcher, which is the engine of torchrun."""

from __future__ import annotations

import inspect
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from tempfile import TemporaryDirectory
from typing import Any

from torch.distributed import is_torchelastic_launched
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from pipeline.errors import InputError
from pipeline.files import explain_os_error
from pipeline.options.compute import ComputeOptions

START_METHOD = "spawn"
_QUIET = ("torch.distributed.elastic.multiprocessing.api", "torch.multiprocessing.spawn")
"""Loggers that print the launcher's own traceback when a rank fails."""
Stage = Callable[..., dict[str, Any]]


def on_ranks(stage: Stage) -> Stage:
    """Let `compute.gpus` processes run a stage together; return the facts of the first one."""

    @wraps(stage)
    def run(*given: Any, **named: Any) -> dict[str, Any]:
        values = inspect.signature(stage).bind(*given, **named).arguments
        compute: ComputeOptions = values["compute"]
        if compute.gpus == 1 or is_torchelastic_launched():
            return stage(**values)
        return _start(run, values, compute)

    return run


def _start(stage: Stage, values: Mapping[str, Any], compute: ComputeOptions) -> dict[str, Any]:
    """Start the ranks and wait for them; a signal to this process is sent on to them.

    Raises InputError as the stage does, and for a rank that was killed.
    """
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(compute.rank_timeout))
    with TemporaryDirectory() as logs, _restored_signals():
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=compute.gpus,
            max_restarts=0,
            run_id="ranks",
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            start_method=START_METHOD,
            # the log of a rule has what this process prints, so it prints what the ranks do
            logs_specs=DefaultLogsSpecs(logs, tee=Std.ALL),
            log_line_prefix_template="[rank ${rank}] ",
        )
        try:
            return elastic_launch(config, _run)(stage, dict(values))[0]
        except SignalException as stopped:
            sys.exit(128 + stopped.sigval)
        except ChildFailedError as error:
            rank, failure = error.get_first_failure()
            raise _explain(rank, failure, compute.gpus) from None


@contextmanager
def _restored_signals() -> Iterator[None]:
    """Restore the handlers that the launcher replaces."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    previous = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _run(stage: Stage, values: dict[str, Any]) -> dict[str, Any]:
    """Run the stage in a rank; only the text of an error reaches the process that started it."""
    try:
        return stage(**values)
    except OSError as error:
        if error.filename is None:
            raise
        raise InputError(explain_os_error(error)) from error


def _explain(rank: int, failure: ProcessFailure, count: int) -> BaseException:
    """Return the error of a rank that failed."""
    if failure.exitcode < 0:
        return InputError(
            f"compute.gpus: rank {rank} of {count} was ended by "
            f"{signal.Signals(-failure.exitcode).name}: memory may be full: run the same command "
            "again; a training resumes from its last checkpoint"
        )
    message: Any = failure.message
    if isinstance(message, str):  # it exited, for example after a signal that no other rank got
        return SystemExit(failure.exitcode)
    kind, _, text = message["message"].partition(": ")
    if kind == InputError.__name__:
        return InputError(text)
    return RuntimeError(f"rank {rank} of {count}:\n{message['extraInfo']['py_callstack']}")
