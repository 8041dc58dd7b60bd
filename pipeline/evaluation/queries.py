"""The table of a run's queries, queries.csv: one row per feature and query."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import InputError
from pipeline.evaluation.features import FEATURES, labels_of
from pipeline.evaluation.metrics import Ranking
from pipeline.files import atomic_file, checked_folder

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("feature", "query", "identity", "camera"),
    *("matches", "ap", "inp", "first_match", "top10"),
)


def write_queries(
    path: Path, arrays: dict[str, np.ndarray], rankings: Mapping[str, Ranking]
) -> None:
    """Write the rows of `COLUMNS`; `top10` is a JSON list of gallery keys, best first.

    A query without a match has empty ap, inp and first_match.
    """
    with atomic_file(path) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_rows(arrays, rankings))


def _rows(
    arrays: dict[str, np.ndarray], rankings: Mapping[str, Ranking]
) -> Iterator[tuple[Any, ...]]:
    gallery_keys = arrays["gallery_keys"]
    identities, cameras = labels_of(arrays, "query")
    for feature, ranking in rankings.items():
        for i, key in enumerate(arrays["query_keys"]):
            found = ("", "", "")
            if ranking.matches[i]:
                ap, inp = ranking.average_precision[i], ranking.inverse_negative_penalty[i]
                found = (f"{ap:.6f}", f"{inp:.6f}", str(ranking.first_match[i]))
            top = json.dumps([str(gallery_keys[j]) for j in ranking.top[i] if j >= 0])
            yield feature, key, identities[i], cameras[i], ranking.matches[i], *found, top


def read_queries(path: Path) -> tuple[str, pd.DataFrame]:
    """Read queries.csv: the test feature of the run and its rows, indexed by query.

    Columns are `COLUMNS` without feature and query; ap, inp and first_match are NaN without a
    match, top10 is a list of gallery keys. Raises InputError for a missing or damaged file.
    """
    import pandas as pd  # 0.2 s, which each scoring saves: writing needs none

    checked_folder(path.parent, path.name)
    try:
        # a key may be NA, or digits with leading zeros: it stays text
        rows = pd.read_csv(
            path, dtype={"query": str, "top10": str}, keep_default_na=False, na_values=[""]
        )
        found = set(rows["feature"])
        feature = next((name for name in FEATURES if name in found), None)
        if feature is None:
            raise ValueError(f"no row of {', '.join(FEATURES)}")
        own = rows.loc[rows["feature"] == feature, list(COLUMNS)].set_index("query")
        own["top10"] = own["top10"].map(_keys)
        own["ap"] = own["ap"].astype(float)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: expected the columns {', '.join(COLUMNS)} and a row for each query, found "
            f"{error!r}: score the run again"
        ) from None
    return feature, own.drop(columns="feature")


def _keys(cell: str) -> list[str]:
    keys = json.loads(cell)
    if not (isinstance(keys, list) and all(isinstance(key, str) for key in keys)):
        raise ValueError(f"top10 {cell!r}")
    return keys
