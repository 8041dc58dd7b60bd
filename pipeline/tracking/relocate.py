"""Stage: point MLflow at its artifacts after the project was moved.

MLflow keeps absolute locations. `publish` and `make ui` correct those of all experiments first, so
that nothing is published again.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from pipeline.files import exclusive
from pipeline.tracking.database import explaining, probe

ARTIFACTS = "mlflow_artifacts"
"""The folder beside the database."""
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
    """Replace what stands before `ARTIFACTS` in every location; the process has the database."""
    here = artifact_folder(database).as_uri()
    with closing(sqlite3.connect(database)) as connection, connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        for table, column in LOCATIONS.items():
            if table not in tables:  # of an older MLflow
                continue
            rows = connection.execute(f"SELECT DISTINCT {column} FROM {table}").fetchall()
            for (old,) in rows:
                before, found, rest = str(old).rpartition(f"/{ARTIFACTS}")
                if found and rest[:1] in ("", "/") and before + found != here:
                    statement = f"UPDATE {table} SET {column} = ? WHERE {column} = ?"
                    connection.execute(statement, (here + rest, old))


def relocate(database: Path) -> None:
    """Point all experiments at the artifacts beside `database`, MLflow's sqlite file.

    Does nothing where there is no such file, or nothing was moved. Raises InputError as
    `open_experiment` does.
    """
    if database.exists():
        with exclusive(database), explaining(database):
            probe(database)
            correct_locations(database)
