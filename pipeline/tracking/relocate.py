"""Stage: point MLflow at its artifacts after the project was moved.

MLflow keeps absolute locations. `publish` and `make ui` correct those of all experiments first, so
that nothing is published again.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from pipeline.files import exclusive
from pipeline.tracking.database import explaining

ARTIFACTS = "mlflow_artifacts"
"""The folder beside the database."""
PATIENCE = 60.0
"""Seconds to wait for another program that holds the database."""
LOCATIONS = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
}
"""Columns of MLflow's tables that hold locations of artifacts."""


def artifact_folder(database: Path) -> Path:
    """Where the artifacts of a database lie."""
    return database.resolve().parent / ARTIFACTS


def correct_locations(database: Path) -> None:
    """Replace the folder of artifacts in every location; the process has the database.

    Raises sqlite3.Error at once for a file that is damaged or cannot be written: MLflow would try
    ten times.
    """
    here = artifact_folder(database).as_uri()
    with closing(sqlite3.connect(database, PATIENCE)) as connection, connection:
        connection.execute("BEGIN IMMEDIATE")
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"malformed: {verdict}")
        found = connection.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
        for (old,) in found:
            if not old.endswith(f"/{ARTIFACTS}") or old == here:
                continue
            for table, column in LOCATIONS.items():
                statement = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
                connection.execute(statement, (old, here))


def relocate(database: Path) -> None:
    """Point all experiments at the artifacts beside `database`, MLflow's sqlite file.

    Does nothing where there is no such file, or nothing was moved. Raises InputError as
    `open_experiment` does.
    """
    if database.exists():
        with exclusive(database), explaining(database):
            correct_locations(database)
