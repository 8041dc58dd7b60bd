"""Create MLflow's sqlite database, and explain its errors."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from pipeline.errors import InputError
from pipeline.files import atomic_file

WORDS = ("sqlite3.", "database", "revision")
"""Every database error of MLflow has one of these words."""
CURE = (
    "end other programs that use it (`make ui`, a database browser), make it writable and free "
    "disk space, or move it away, so that everything is published again from results/; run again"
)


@contextmanager
def explaining(database: Path) -> Iterator[None]:
    """Raise InputError for database errors; other errors pass."""
    # MLflow logs tracebacks of errors that are raised anyway
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error) as error:
        lines = [line for line in str(error).splitlines() if any(word in line for word in WORDS)]
        if isinstance(error, MlflowException) and not lines:
            raise
        raise InputError(f"{database}: {lines[0] if lines else error}: {CURE}") from error


def create_database(database: Path) -> None:
    """Create an empty MLflow database atomically."""
    # a killed process would leave a half-migrated file
    with atomic_file(database) as partial:
        MlflowClient(f"sqlite:///{partial}").search_experiments()
