"""MLflow's sqlite file: made whole, looked at before it is used, and its errors explained."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pipeline.errors import InputError, warn
from pipeline.files import atomic_file

PATIENCE = 60.0
"""Seconds to wait for another program that holds the database."""
_UNWRITABLE = "cannot be written: make the file and its folder writable, then run again"
_DAMAGED = (
    "is not a whole sqlite database: move it away and run again; all that the workflow put there "
    "is published anew from results/"
)
_FULL = "cannot grow, the disk is full or the file too large: make space, then run again"
_OTHER_VERSION = (
    "was made by another version of MLflow: run `mlflow db upgrade sqlite:///<the file>`, or move "
    "it away to have everything published anew, then run again"
)
CURES = {
    "database is locked": (
        "is locked by another program: end it (`make ui`, a database browser), then run again"
    ),
    "readonly database": _UNWRITABLE,
    "unable to open database file": _UNWRITABLE,
    "database or disk is full": _FULL,
    "disk I/O error": _FULL,
    "not a database": _DAMAGED,
    "malformed": _DAMAGED,
    "out-of-date database schema": _OTHER_VERSION,
    "Can't locate revision": _OTHER_VERSION,
}
"""What sqlite and MLflow say, and what to tell the user."""


@contextmanager
def explaining(database: Path) -> Iterator[None]:
    """Raise InputError in place of the errors of the database that a user can mend."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    # its tracebacks, for errors that are explained here or raised again
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error) as error:
        cures = [cure for said, cure in CURES.items() if said in str(error)]
        if not cures:
            raise
        raise InputError(f"{database}: {cures[0]}") from error


def make_database(database: Path) -> None:
    """Make an empty database of MLflow: it appears when it is whole."""
    from mlflow import MlflowClient

    # two processes at once, or one that is killed, would leave a half-migrated file
    with atomic_file(database) as partial:
        MlflowClient(f"sqlite:///{partial}").search_experiments()


def probe(database: Path) -> None:
    """Raise sqlite3.Error unless the database is whole and can be written.

    MLflow would find out too, but try ten times and, of a lock, wait for 20 seconds only.
    """
    try:
        _write_nothing(database, 1)
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        warn(f"{database}: locked by another program: waiting for up to {PATIENCE:.0f} s")
        _write_nothing(database, PATIENCE)


def _write_nothing(database: Path, patience: float) -> None:
    with closing(sqlite3.connect(database, timeout=patience, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"malformed: {verdict}")
        connection.execute("CREATE TABLE probe (x)")
        connection.execute("ROLLBACK")
