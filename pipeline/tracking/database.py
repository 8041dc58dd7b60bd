"""MLflow's sqlite file: made whole, and its errors explained."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import InputError
from pipeline.files import atomic_file

WORDS = ("sqlite3.", "database", "revision")
"""MLflow's errors of its database have one of them."""
CURE = (
    "end what else has it open (`make ui`, a database browser), see that it can be written and the "
    "disk has space, or move it away to have everything published anew from results/; run again"
)


@contextmanager
def explaining(database: Path) -> Iterator[None]:
    """Raise InputError in place of errors of the database; others pass."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    # its tracebacks, for errors that are explained here or raised again
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error) as error:
        said = [line for line in str(error).splitlines() if any(word in line for word in WORDS)]
        if isinstance(error, MlflowException) and not said:
            raise
        raise InputError(f"{database}: {said[0] if said else error}: {CURE}") from error


def make_database(database: Path) -> None:
    """Make an empty database of MLflow: it appears when it is whole."""
    from mlflow import MlflowClient

    # two processes at once, or one that is killed, would leave a half-migrated file
    with atomic_file(database) as partial:
        MlflowClient(f"sqlite:///{partial}").search_experiments()
