"""The curves of a training on a server: while it runs, once, and over interruptions."""

from __future__ import annotations

import signal
from pathlib import Path

import pandas as pd
import pytest

from pipeline.tracking import live
from pipeline.tracking.live import Training, _LiveRun
from pipeline.training.history import write_history
from tests.tracking.mlflow_server import MlflowServer
from tests.tracking.publishing import publish_training
from tests.training.runs import EPOCHS, STEPS, stopped, train_run, with_options
from tests.training.tiny_data import make_bank, make_shards, tiny_options

STARTED = "2026-01-02T03:04:05+00:00"


class Following:
    """The history of a training, and what a sender makes of it."""

    def __init__(self, server: MlflowServer, folder: Path) -> None:
        self.server = server
        self.destination = server.destination(folder.name)
        self.training = Training("dpeformer", 0, STARTED, folder / "history.csv")
        self.sender = self.new_sender()

    def new_sender(self) -> _LiveRun:
        """The sender of a training that was resumed."""
        return _LiveRun(self.destination, self.training)

    def write(self, epochs: int, seconds: float = 1.0) -> None:
        rows = [
            {"epoch": n, "seconds": seconds, "k_q50": "", "loss": 10.0 - n, "token_auc": 0.5}
            for n in range(1, epochs + 1)
        ]
        write_history(self.training.history, rows)

    def losses(self) -> list[tuple[int, float]]:
        return self.server.curve(self.run_id(), "loss")

    def run_id(self) -> str:
        (run,) = self.server.runs(self.destination.experiment).values()
        return run.info.run_id


@pytest.fixture
def following(server: MlflowServer, tmp_path: Path) -> Following:
    return Following(server, tmp_path)


def expected(epochs: int) -> list[tuple[int, float]]:
    return [(n, 10.0 - n) for n in range(1, epochs + 1)]


def test_a_run_is_shown_before_its_first_epoch(following: Following) -> None:
    following.sender.send("RUNNING")
    (run,) = following.server.runs(following.destination.experiment).values()
    assert (run.info.run_name, run.info.status) == ("dpeformer-seed0", "RUNNING")
    assert (run.data.tags["variant"], run.data.tags["seed"]) == ("dpeformer", "0")
    assert run.data.metrics == {}


def test_each_epoch_is_sent_once_with_all_its_values(following: Following) -> None:
    for epochs in (1, 1, 3):
        following.write(epochs)
        following.sender.send("RUNNING")
        assert following.losses() == expected(epochs)
    metrics = following.server.client().get_run(following.run_id()).data.metrics
    assert metrics == {"seconds": 1.0, "loss": 7.0, "token_auc": 0.5}  # k_q50 has no values


def test_a_resumed_training_continues_its_curve(following: Following) -> None:
    """Also if it was killed, and trains an epoch again that the server has."""
    following.write(3)
    following.sender.send("KILLED")
    first = following.run_id()
    following.write(2, seconds=2.0)
    resumed = following.new_sender()
    resumed.send("RUNNING")
    following.write(5, seconds=2.0)
    resumed.send("FINISHED")
    assert following.run_id() == first
    assert following.losses() == expected(5)
    run = following.server.client().get_run(first)
    assert run.info.status == "FINISHED"
    assert run.info.end_time is not None


def test_another_training_of_the_same_name_is_another_run(following: Following) -> None:
    following.write(2)
    following.sender.send("FAILED")
    again = following.training._replace(started="2026-01-02T03:04:06+00:00")
    _LiveRun(following.destination, again).send("RUNNING")
    experiment = following.server.client().get_experiment_by_name(following.destination.experiment)
    runs = following.server.client().search_runs([experiment.experiment_id])
    assert sorted(len(following.server.curve(run.info.run_id)) for run in runs) == [2, 2]


def test_what_a_slow_server_has_taken_after_all_is_not_sent_again(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests that the sender gives up wait in the socket of a stopped server."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    server, sender = following.server, following.sender
    sender.send("RUNNING")
    server.send(signal.SIGSTOP)
    try:
        for epochs in (1, 2):
            following.write(epochs)
            with pytest.raises(Exception, match="timed out"):
                sender.send("RUNNING")
    finally:
        server.send(signal.SIGCONT)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    following.write(3)
    sender.send("RUNNING")
    assert following.losses() == expected(3)
    assert list(server.runs(following.destination.experiment)) == ["dpeformer-seed0"]


@pytest.mark.no_cover  # slower by half; other tests reach these lines
def test_an_interrupted_training_is_shown_and_published_as_one_run(
    server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real training: stopped by SIGTERM, resumed, and published to the run that it showed."""
    monkeypatch.setattr(live, "GRACE", 100.0)
    folder, there = tmp_path / "tiny" / "seed0", server.destination("live")
    shards, bank = make_shards(tmp_path / "shards"), make_bank(tmp_path / "bank")
    options = with_options(tiny_options(), "training", epochs=EPOCHS)

    def run(_: str) -> Path:
        return train_run(folder, shards, bank, options, server=there)

    assert stopped(run, folder) < STEPS
    shown = server.runs("live")["tiny-seed0"]
    assert shown.info.status == "KILLED"
    before = server.curve(shown.info.run_id)
    assert len(before) < EPOCHS
    run(folder.name)
    assert server.runs("live")["tiny-seed0"].info.status == "FINISHED"
    losses = pd.read_csv(folder / "history.csv")["loss"]
    whole = list(enumerate(losses, start=1))
    assert server.curve(shown.info.run_id) == whole
    assert before == whole[: len(before)]

    assert publish_training(folder, there) == shown.info.run_id
    assert server.curve(shown.info.run_id) == whole
    assert server.runs("live")["tiny-seed0"].data.metrics["coarse_map"] == 50.0
    assert not (tmp_path / "mlflow.db").exists()
