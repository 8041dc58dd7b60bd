"""Check the names of dataset folders in results/."""

from __future__ import annotations

import typing

from pipeline.errors import InputError
from pipeline.options.data import DataOptions, DatasetName

RESERVED = (
    *("downloads", "occluders", "logs", "search"),
    *("demo_weights", "shipped_weights", "mlflow_artifacts"),
)
"""Other folders in results/."""
TO = "_to_"
"""Joins the training and the test dataset in the name of an experiment's folder."""


def check_name(data: DataOptions, key: str) -> None:
    """Raise InputError if the name in the section `key` is another folder of results/."""
    name = data.name
    if name is None or name == data.dataset:
        return
    if name in (*typing.get_args(DatasetName), *RESERVED):
        raise InputError(
            f"config: {key}.name: found {name}, which is another folder of results/: choose a name "
            f"other than {', '.join(RESERVED)} and other datasets"
        )
    if TO in name:
        raise InputError(
            f"config: {key}.name: found {name}, but {TO} joins the names of two datasets: choose a "
            "name without it"
        )
