"""The curves of a training on an MLflow server while it runs.

A process of its own reads the rows of history.csv as the training writes them, and sends what the
server does not have. The file is the buffer: after a failure, all that is missing is sent later, in
the end by `publish`.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from multiprocessing.connection import Connection
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from pipeline.errors import warn
from pipeline.options.tracking import Destination
from pipeline.tracking.experiment import LIVE, epochs_of, find_experiment, runs_named
from pipeline.tracking.metrics import epoch_metrics, milliseconds
from pipeline.tracking.server import first_line

if TYPE_CHECKING:
    from mlflow.entities import Metric

INTERVAL = 5.0
"""Seconds between two looks at the history."""
GRACE = 10.0
"""Seconds that the end of a training waits for the last rows to be sent."""
LIMITS = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "30", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
"""MLflow's settings, unless the environment has others; retries are made here."""


class Training(NamedTuple):
    """A training to show."""

    variant: str
    seed: int
    started: str
    """Time of its first start, ISO 8601; it stays when the training is resumed."""
    history: Path
    """Its history.csv, still missing before the first epoch."""

    @property
    def name(self) -> str:
        """Name of its run."""
        return f"{self.variant}-seed{self.seed}"


@contextmanager
def live_tracking(server: Destination | None, training: Training) -> Iterator[None]:
    """Show a training on `server` while the block runs; None: nowhere.

    No fault of the server stops or slows the block; its end waits `GRACE` seconds at most.
    """
    if server is None:
        yield
        return
    training.history.unlink(missing_ok=True)  # perhaps that of an earlier training
    spawn = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    theirs, ours = spawn.Pipe(duplex=False)
    sender = spawn.Process(target=_follow, args=(server, training, theirs), daemon=True)
    sender.start()
    theirs.close()
    status = "FAILED"
    try:
        yield
        status = "FINISHED"
    except (SystemExit, KeyboardInterrupt):
        status = "KILLED"
        raise
    finally:
        _end(sender, ours, status)


def _end(sender: multiprocessing.process.BaseProcess, orders: Connection, status: str) -> None:
    """Let the sender set the last status; kill it if it takes too long."""
    try:
        orders.send(status)
    except OSError:
        return  # it has been killed
    sender.join(GRACE)
    sender.kill()
    sender.join()


def _follow(server: Destination, training: Training, orders: Connection) -> None:
    """Send the rows of the history as they come, until the training ends or dies."""
    for number in (signal.SIGINT, signal.SIGTERM):  # they reach the training too, which ends this
        signal.signal(number, signal.SIG_IGN)
    for name, value in LIMITS.items():
        os.environ.setdefault(name, value)
    run, status, warned = _LiveRun(server, training), "RUNNING", False
    while True:
        try:
            run.send(status)
        except Exception as error:  # whatever it is, the training goes on
            if not warned:
                warn(f"{server.uri}: {first_line(error)}: the curves are sent later")
            warned = True
        if status != "RUNNING":
            return
        if orders.poll(INTERVAL):
            status = _last_status(orders)


def _last_status(orders: Connection) -> str:
    try:
        return str(orders.recv())
    except EOFError:  # the training was killed
        return "KILLED"


class _Sent(NamedTuple):
    """What the server has."""

    run: str
    epochs: set[int]


class _LiveRun:
    """The run of a training on a server."""

    def __init__(self, server: Destination, training: Training) -> None:
        from mlflow import MlflowClient

        self._client = MlflowClient(server.uri)
        self._server = server
        self._training = training
        self._start = milliseconds(training.started)
        self._status = ""
        self._sent: _Sent | None = None

    def send(self, status: str) -> None:
        """Send the epochs that the server does not have, each at once, and a changed status."""
        # after an error, ask anew: the request may have arrived
        sent, self._sent = self._sent or self._ask(), None
        for epoch, metrics in groupby(self._missing(sent.epochs), attrgetter("step")):
            self._client.log_batch(sent.run, list(metrics))
            sent.epochs.add(epoch)
        if status != self._status:
            self._set_status(sent.run, status)
        self._sent, self._status = sent, status

    def _set_status(self, run: str, status: str) -> None:
        if status == "RUNNING":
            self._client.update_run(run, status)
        else:
            self._client.set_terminated(run, status)

    def _missing(self, sent: set[int]) -> list[Metric]:
        """Return the values of the epochs that are not `sent`."""
        if not self._training.history.exists():
            return []
        history = pd.read_csv(self._training.history)
        return list(epoch_metrics(history, self._start, round(1000 * time.time()), sent))

    def _ask(self) -> _Sent:
        """Find or create the run, and ask which epochs it has."""
        experiment = find_experiment(self._client, self._server.experiment)
        runs = self._runs(experiment)
        for twin in runs[1:]:  # its request was given up, but arrived
            self._client.delete_run(twin)
        run = runs[0] if runs else self._create(experiment)
        return _Sent(run, epochs_of(self._client, run))

    def _runs(self, experiment: str) -> list[str]:
        """Return the ids of the live runs of this training."""
        found = runs_named(self._client, experiment, self._training.name)
        return [
            str(run.info.run_id)
            for run in found
            if LIVE in run.data.tags and run.info.start_time == self._start
        ]

    def _create(self, experiment: str) -> str:
        tags = {LIVE: "true", "variant": self._training.variant, "seed": str(self._training.seed)}
        name = self._training.name
        run = self._client.create_run(experiment, self._start, tags, name)
        return str(run.info.run_id)
