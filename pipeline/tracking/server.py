"""An experiment on an MLflow server."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import InputError, warn
from pipeline.options.tracking import Destination
from pipeline.tracking.experiment import Experiment, runs_named

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

LOCK = "publishing"
"""Name of the run that an experiment has while a workflow publishes to it."""
OWNER = "owner"
"""Tag of that run: host and folder of the workflow."""
PATIENCE = 600.0
"""Seconds to wait for another workflow, which was perhaps killed."""
PAUSE = 1.0
"""Seconds between two looks at the server."""
CURE = (
    "start it, or correct tracking.uri and the credentials in the environment (docs/tracking.md), "
    "and run again"
)


@contextmanager
def open_on_server(server: Destination, folder: Path) -> Iterator[Experiment]:
    """Open an experiment of an MLflow server, creating it if missing, for one workflow at a time.

    `folder` is the one that the workflow alone writes to. Raises InputError if the server or its
    store of artifacts cannot be reached or refuses a request.
    """
    from mlflow import MlflowClient

    with explaining(server.uri):
        experiment = Experiment(MlflowClient(server.uri), server.experiment)
        with _alone(experiment, f"{socket.gethostname()}:{folder.resolve()}"):
            yield experiment


@contextmanager
def explaining(uri: str) -> Iterator[None]:
    """Raise InputError for errors of the server and of its store; other errors pass."""
    try:
        yield
    except _errors() as error:
        raise InputError(f"{uri}: {first_line(error)}: {CURE}") from error


def _errors() -> tuple[type[Exception], ...]:
    """Return the errors of the server, and of S3 if the package for it is installed."""
    from mlflow.exceptions import MlflowException
    from requests import RequestException

    try:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        return MlflowException, RequestException
    return MlflowException, RequestException, Boto3Error, BotoCoreError, ClientError


def first_line(error: Exception) -> str:
    """Return the first line of a message; the name of an error without one."""
    return (str(error).splitlines() or [type(error).__name__])[0]


@contextmanager
def _alone(experiment: Experiment, owner: str) -> Iterator[None]:
    """Hold the lock of an experiment: MLflow has none, so it is a run that only one may have."""
    from mlflow.exceptions import MlflowException

    lock = _lock(experiment.client, experiment.id, owner)
    try:
        yield
    finally:
        with suppress(MlflowException):  # the server may be gone; the next workflow removes it
            experiment.client.delete_run(lock)


def _lock(client: MlflowClient, experiment: str, owner: str) -> str:
    """Create the lock and return its run, once no other workflow has one.

    Of workflows that create theirs at once, at least one sees another's and withdraws its own.
    """
    while True:
        _wait_for_others(client, experiment, owner)
        own: str = client.create_run(experiment, run_name=LOCK, tags={OWNER: owner}).info.run_id
        if [run.info.run_id for run in runs_named(client, experiment, LOCK)] == [own]:
            return own
        client.delete_run(own)
        time.sleep(random.uniform(0, 2 * PAUSE))


def _wait_for_others(client: MlflowClient, experiment: str, owner: str) -> None:
    """Return when there is no lock; removes those that a killed workflow has left.

    These are the ones of `owner`, and after `PATIENCE` any other.
    """
    deadline = time.monotonic() + PATIENCE
    warned = False
    while locks := runs_named(client, experiment, LOCK):
        for lock in locks:
            if lock.data.tags.get(OWNER) == owner or time.monotonic() > deadline:
                client.delete_run(lock.info.run_id)
        if not warned and (others := _owners(locks) - {owner}):
            warn(f"the experiment is being published from {', '.join(others)}: waiting")
            warned = True
        time.sleep(PAUSE)


def _owners(locks: list[Run]) -> set[str]:
    return {lock.data.tags.get(OWNER, "elsewhere") for lock in locks}
