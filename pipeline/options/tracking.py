"""The section `tracking`: the MLflow server that runs are sent to."""

from __future__ import annotations

import os
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from pipeline.errors import InputError
from pipeline.options.base import Section

VARIABLE = "MLFLOW_TRACKING_URI"
"""Environment variable that stands in for `tracking.uri`."""
_KEY = f"config: tracking.uri or {VARIABLE}"


def _check_uri(uri: str) -> str:
    """Return an address that holds no secret; the message of InputError repeats none of it."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            f"{_KEY}: found an address that does not start with http:// or https:// and a host, "
            "expected that of an MLflow server: correct it, or give null for results/mlflow.db"
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InputError(
            f"{_KEY}: found a user, a password or a query in the address, expected none, because "
            "addresses are written to logs and records: give MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the environment"
        )
    return uri.rstrip("/")


ServerUri = Annotated[str, AfterValidator(_check_uri)]


class Destination(Section):
    """An experiment on an MLflow server."""

    uri: ServerUri
    experiment: str


class TrackingOptions(Section):
    """The MLflow server that runs are published to; affects no result."""

    uri: ServerUri | None = None
    """Address, such as https://mlflow.example.org; null: MLFLOW_TRACKING_URI, or if that is unset,
    results/mlflow.db. Credentials are environment variables (docs/tracking.md)."""
    experiment_prefix: Annotated[str, Field(pattern=r"^[\w.-]*$")] = ""
    """Comes before the names of experiments and registered models on the server."""

    def destination(self, folder: str) -> Destination | None:
        """Return where the runs of a folder in results/ are sent; None: to results/mlflow.db."""
        uri = self.uri or os.environ.get(VARIABLE)
        if not uri:
            return None
        return Destination(uri=uri, experiment=f"{self.experiment_prefix}{folder}")
