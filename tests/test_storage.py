"""Names of results and objects in a bucket."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.storage import copies_of_results, plain_names, tell_jobs

COPIES = Path(".snakemake/storage/s3")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))


def test_copies_of_results_are_named_as_in_a_local_run() -> None:
    tell_jobs(COPIES, "s3://bucket/an/experiment/")
    assert copies_of_results() == COPIES / "bucket/an/experiment"
    copy = f"{COPIES}/bucket/an/experiment/results/m/shards"
    record = {"inputs": {copy: "hash"}, "arguments": {"parts": [copy], "seed": 0}}
    plain = "results/m/shards"
    expected = {"inputs": {plain: "hash"}, "arguments": {"parts": [plain], "seed": 0}}
    assert plain_names(record) == expected


def test_copies_of_other_objects_are_named_by_their_address() -> None:
    tell_jobs(COPIES, "")
    assert copies_of_results() is None
    assert plain_names(f"{COPIES}/data/Market.zip") == "s3://data/Market.zip"
    assert plain_names("results/m/shards") == "results/m/shards"
