"""queries.csv is read as it was written, for any names of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.evaluation.metrics import Ranking
from pipeline.evaluation.queries import COLUMNS, read_queries, write_queries

NAMES = ["IMG 20 (1)", "a, b", 'say "x"', "c; d", "[e]", "NA", "007", "ü\n"]


def write(path: Path) -> list[list[str]]:
    """Each name is a query and a gallery image; returns each query's top10."""
    size = len(NAMES)
    arrays = {
        "query_keys": np.array(NAMES),
        "query_identities": np.arange(size),
        "query_cameras": np.ones(size, np.int64),
        "gallery_keys": np.array(NAMES[::-1]),
    }
    top = np.stack([np.roll(np.arange(size), i) for i in range(size)])
    top[:, -1] = -1  # fewer are left
    ones = np.ones(size)
    matches = np.array([0] + [1] * (size - 1))
    ranking = Ranking(matches, ones / 4, ones / 2, ones.astype(int), top)
    write_queries(path, arrays, {"global": ranking, "coarse": ranking})
    return [[NAMES[::-1][j] for j in row[:-1]] for row in top]


def test_keys_of_any_text_are_read_back(tmp_path: Path) -> None:
    top = write(tmp_path / "queries.csv")
    feature, rows = read_queries(tmp_path / "queries.csv")
    assert feature == "coarse"  # the test feature of a run without `blended`
    assert rows.index.tolist() == NAMES
    assert rows["top10"].tolist() == top
    assert np.isnan(rows["ap"].iloc[0])
    assert rows["ap"].iloc[1:].tolist() == [0.25] * (len(NAMES) - 1)


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "queries.csv"
    with pytest.raises(InputError, match=r"queries\.csv: no such file"):
        read_queries(path)
    header = ",".join(COLUMNS)
    damaged = (
        b"",
        b"\xff\xfe\x00",
        b"feature,query\ncoarse,a\n",
        f"{header}\n".encode(),
        f"{header}\ncoarse,a,1,1,1,0.5,0.5,1,b c\n".encode(),  # top10 of an older version
        f"{header}\ncoarse,a,1,1,1,much,0.5,1,[]\n".encode(),
        f'{header}\ncoarse,a,1,1,1,0.5,0.5,1,"[1]"\n'.encode(),
        f"{header}\ncoarse,a,1,1,1,0.5,0.5,1,\n".encode(),
    )
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"queries\.csv: expected the columns.*score the run"):
            read_queries(path)
