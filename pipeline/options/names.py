"""Names of folders in results/."""

from __future__ import annotations

import typing

from pipeline.errors import InputError
from pipeline.options.data import DataOptions, DatasetName

RESERVED = ("downloads", "occluders", "logs", "demo_weights", "shipped_weights", "mlflow_artifacts")
"""What lies beside the datasets in results/."""
TO = "_to_"
"""Joins the names of two datasets in the folder of an experiment."""


def check_name(data: DataOptions, key: str) -> None:
    """Raise InputError when the name of the section `key` is that of another folder of results/."""
    name = data.name
    if name is None or name == data.dataset:
        return
    if name in (*typing.get_args(DatasetName), *RESERVED):
        raise InputError(
            f"config: {key}.name: found {name}, which is another folder of results/: give a name "
            f"of your own, none of {', '.join(RESERVED)} and no other dataset's"
        )
    if TO in name:
        raise InputError(
            f"config: {key}.name: found {name}, but {TO} joins the names of two datasets: give a "
            "name without it"
        )
