"""A training that was interrupted is one run in MLflow, with one curve."""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import pytest
from publishing import client_of, set_map

from pipeline.files import read_json
from pipeline.options.compute import ComputeOptions
from pipeline.options.run import (
    BackboneOptions,
    ImageOptions,
    ModelOptions,
    RunOptions,
    TrainingOptions,
)
from pipeline.run import Run
from pipeline.tracking.publish import milliseconds, publish
from pipeline.training.train import train
from tests.training.runs import files, stopped

pytestmark = pytest.mark.no_cover  # slower by half; other tests reach these lines

EPOCHS = 25  # enough for a run to be stopped among them
OPTIONS = RunOptions(
    image=ImageOptions(height=32, width=16),
    backbone=BackboneOptions(
        name="vit_tiny_patch16_224", patch_size=8, embed_dim=32, depth=1, num_heads=2
    ),
    model=ModelOptions(k_min=2),
    training=TrainingOptions(epochs=EPOCHS, identities=3, images=2, sampler="identities"),
)
COMPUTE = ComputeOptions(device="cpu", precision="float32", checkpoint_steps=2)


def train_in_two_parts(run: Path, shards: Path, bank: Path) -> None:
    """Stop the training when it has saved two checkpoints, a second later go on to its end."""

    def go_on(_: str) -> Path:
        inputs = {"shards": shards, "bank": bank, "options": OPTIONS, "compute": COMPUTE}
        train(**files(run), **inputs, dataset="drawn", variant="dpeformer", seed=0)
        return run

    assert stopped(go_on, run) < 2 * EPOCHS
    time.sleep(1)
    go_on(run.name)
    assert read_json(run / "run.json")["resumed"] == 1


def test_an_interrupted_training_is_one_run_with_one_curve(
    tmp_path: Path, shards: Path, bank: Path
) -> None:
    run = tmp_path / "dpeformer" / "seed0"
    train_in_two_parts(run, shards, bank)
    set_map(run, 50.0)
    (run / "queries.csv").write_text("feature,query\n")
    publish(
        tmp_path / "mlflow.db", tmp_path / "receipt.json", "drawn", "one", [Run(run)], [], [], bank
    )
    client = client_of(tmp_path)
    experiment = client.get_experiment_by_name("drawn").experiment_id
    [shown] = client.search_runs([experiment], "attributes.run_name = 'dpeformer-seed0'")
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
