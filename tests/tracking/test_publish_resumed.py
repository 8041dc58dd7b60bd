"""A training that was interrupted is one run in MLflow, with one curve."""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import pytest

from pipeline.files import read_json
from pipeline.tracking.metrics import milliseconds
from tests.tracking.publishing import client_of, publish_training
from tests.training.runs import EPOCHS, STEPS, stopped, train_run, with_options
from tests.training.tiny_data import make_bank, make_shards, tiny_options

pytestmark = pytest.mark.no_cover  # slower by half; other tests reach these lines


def train_in_two_parts(folder: Path, shards: Path, bank: Path) -> None:
    """Stop a training when it has saved two checkpoints, and resume it a second later."""
    options = with_options(tiny_options(), "training", epochs=EPOCHS)

    def run(_: str) -> Path:
        return train_run(folder, shards, bank, options)

    assert stopped(run, folder) < STEPS
    time.sleep(1)
    run(folder.name)
    assert read_json(folder / "run.json")["resumed"] == 1


@pytest.mark.long
def test_an_interrupted_training_is_one_run_with_one_curve(tmp_path: Path) -> None:
    run = tmp_path / "tiny" / "seed0"
    train_in_two_parts(run, make_shards(tmp_path / "shards"), make_bank(tmp_path / "bank"))
    publish_training(run)
    client = client_of(tmp_path)
    experiment = client.get_experiment_by_name("toy").experiment_id
    [shown] = client.search_runs([experiment], "attributes.run_name = 'tiny-seed0'")
    curve = client.get_metric_history(shown.info.run_id, "loss")
    assert [metric.step for metric in curve] == list(range(1, EPOCHS + 1))
    losses = pd.read_csv(run / "history.csv")["loss"]
    assert [metric.value for metric in curve] == losses.tolist()
    moments = [metric.timestamp for metric in curve]
    record = read_json(run / "run.json")
    span = milliseconds(record["started"]), milliseconds(record["finished"])
    assert moments == sorted(moments)
    assert span == (shown.info.start_time, shown.info.end_time)
    assert span[0] <= moments[0]
    assert moments[-1] <= span[1]
