"""Steps of a pretraining that is stopped and resumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pipeline.pretraining import steps as module
from pipeline.pretraining.steps import run_resumable

STEPS = 7


class Training:
    """A linear layer, trained on random inputs that depend on the step."""

    def __init__(self) -> None:
        self.layer = nn.Linear(3, 1, bias=False)
        nn.init.ones_(self.layer.weight)
        self.optimizer = torch.optim.SGD(self.layer.parameters(), lr=0.1, momentum=0.9)
        self.parts: dict[str, Any] = {"layer": self.layer, "optimizer": self.optimizer}
        self.done: list[int] = []

    def update(self, step: int) -> dict[str, float]:
        generator = torch.Generator().manual_seed(step)
        loss = self.layer(torch.randn(4, 3, generator=generator)).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.done.append(step)
        return {"loss": loss.item()}

    def stopped_before(self, step: int) -> dict[str, float]:
        if step == 5:
            raise KeyboardInterrupt
        return self.update(step)


@pytest.fixture(autouse=True)
def frequent_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHECKPOINT_STEPS", 2)


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """The checkpoint of a training that stopped after five steps, saved after four."""
    checkpoint, training = tmp_path / "checkpoint.pt", Training()
    with pytest.raises(KeyboardInterrupt):
        run_resumable("t", STEPS, training.stopped_before, checkpoint, "run", training.parts)
    return checkpoint


def test_a_stopped_training_resumes_to_the_same_weights(stopped: Path, tmp_path: Path) -> None:
    whole, resumed = Training(), Training()
    run_resumable("t", STEPS, whole.update, tmp_path / "other.pt", "run", whole.parts)
    run_resumable("t", STEPS, resumed.update, stopped, "run", resumed.parts)
    assert resumed.done == [4, 5, 6]
    assert torch.equal(resumed.layer.weight, whole.layer.weight)
    assert not list(tmp_path.iterdir())  # no checkpoint is left


def test_checkpoint_of_another_training_is_ignored(stopped: Path) -> None:
    other = Training()
    run_resumable("t", STEPS, other.update, stopped, "another run", other.parts)
    assert other.done == list(range(STEPS))
