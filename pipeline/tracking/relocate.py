"""Stage: correct the locations of MLflow's artifacts after the project was moved.

MLflow stores absolute paths. `publish` and `make ui` correct them first.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.files import exclusive
from pipeline.tracking.database import explaining

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

ARTIFACTS = "mlflow_artifacts"
"""The folder beside the database."""
PATIENCE = 60.0
"""Seconds to wait for a locked database."""
LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Columns with locations of artifacts, with their tables in MLflow's database."""


def artifact_folder(database: Path) -> Path:
    """Return the folder of the artifacts of a database."""
    return database.resolve().parent / ARTIFACTS


def correct_locations(database: Path) -> None:
    """Replace the folder of artifacts in every location; the caller holds the lock.

    Raises sqlite3.Error at once for a damaged or read-only file; MLflow would try ten times.
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
            for table, column in LOCATIONS:
                statement = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
                connection.execute(statement, (old, here))


def point_version(database: Path, version: ModelVersion, location: str, run: str | None) -> None:
    """Point a model version at another copy of the same model; MLflow has no call for it."""
    values = (location, location, run, version.name, version.version)
    with closing(sqlite3.connect(database, PATIENCE)) as connection, connection:
        connection.execute(
            "UPDATE model_versions SET source = ?, storage_location = ?, run_id = ? "
            "WHERE name = ? AND version = ?",
            values,
        )


def relocate(database: Path) -> None:
    """Correct the locations of all experiments to the artifacts beside `database`, if it exists.

    Raises InputError as `open_local` does.
    """
    if database.exists():
        with exclusive(database), explaining(database):
            correct_locations(database)
