"""The numbers of runs and tables that MLflow shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipeline.data.names import WHOLE_QUERY
from pipeline.run import HEADLINES, Run

if TYPE_CHECKING:
    from mlflow.entities import Metric


def milliseconds(time: str) -> int:
    """Convert an ISO 8601 time to Unix time in milliseconds."""
    return round(datetime.fromisoformat(time).timestamp() * 1000)


def epoch_metrics(
    history: pd.DataFrame, start: int, end: int, sent: Set[int] = frozenset()
) -> Iterator[Metric]:
    """Yield the values of each column per epoch, at `start` + time spent in steps, at most `end`.

    Both are Unix times in milliseconds. The epochs `sent` are left out. An epoch has the same time
    whoever sends it, and MLflow stores the same value at the same time once.
    """
    from mlflow.entities import Metric

    times = start + (1000 * history["seconds"].cumsum()).round().astype(int)
    for time, row in zip(times.clip(upper=end), history.to_dict("records"), strict=True):
        epoch = int(row.pop("epoch"))
        for name, value in row.items():
            if epoch not in sent and pd.notna(value):
                yield Metric(str(name), float(value), int(time), epoch)


def final_values(run: Run) -> dict[str, float]:
    """Return the results of a run on the test set: scores in percent, open-set rates in 0..1.

    `map` and `rank1` are those of the test feature, which differs between variants.
    """
    metrics = run.scores
    tested = metrics["features"][run.open_set["feature"]]
    return {
        **{name: tested[name] for name in HEADLINES},
        **_scores(metrics),
        "queries_without_match": len(metrics["queries_without_match"]),
        **_open_set_rates(run.open_set),
    }


def _scores(metrics: dict[str, Any]) -> dict[str, float]:
    parts = {"": metrics, "whole_": metrics.get(WHOLE_QUERY, {"features": {}})}
    return {
        f"{feature}_{prefix}{name}": value
        for prefix, part in parts.items()
        for feature, values in part["features"].items()
        for name, value in values.items()
    }


def _open_set_rates(report: dict[str, Any]) -> dict[str, float]:
    """Return the threshold and the rates of an open-set report that could be measured."""
    parts = {name: report[name] for name in ("verification", "identification") if report[name]}
    rates = {
        f"{part}_tpr_at_fpr_{point['rate']}": point["tpr"]
        for part, content in parts.items()
        for point in content["points"]
    }
    rates["threshold"] = report["threshold"]
    rates["equal_error_rate"] = report["verification"]["equal_error_rate"]
    return {name: value for name, value in rates.items() if value is not None}


def headlines(tables: Sequence[Path]) -> dict[str, float]:
    """Return the means of each variant and feature from the tables of variants."""
    found = {}
    for path in tables:
        if path.suffix != ".csv":
            continue
        table = pd.read_csv(path)
        if not {"variant", "feature", "map_mean", "rank1_mean"} <= set(table):
            continue
        for row in table.to_dict("records"):
            for name in ("map_mean", "rank1_mean", "whole_map_mean", "whole_rank1_mean"):
                if pd.notna(row.get(name)):
                    # a slash, because names of variants and features have underscores
                    found[f"{row['variant']}/{row['feature']}/{name}"] = float(row[name])
    return found
