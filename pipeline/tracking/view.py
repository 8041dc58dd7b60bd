"""A view of MLflow's run table, which its UI lists under Views."""

from __future__ import annotations

import json
import time

TAG = "mlflow.sharedViewState.results"
"""Tag of an experiment; the UI opens it with ?viewStateShareKey=results."""
COLUMNS = (
    *("attributes.`Dataset`", "attributes.`Models`", "metrics.`map`", "metrics.`rank1`"),
    *("metrics.`equal_error_rate`", "tags.`variant`", "tags.`seed`"),
)


def results_view() -> str:
    """Return the view Results, the runs by mAP, in the format of MLflow's UI (JSON)."""
    state = {"selectedColumns": COLUMNS, "orderByKey": "metrics.`map`", "orderByAsc": False}
    now = round(time.time() * 1000)
    view = {"name": "Results", "createdAt": now, "updatedAt": now, "state": json.dumps(state)}
    return json.dumps(view)
