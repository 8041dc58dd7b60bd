"""Learning rate of a pretraining, and its resumption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.pretraining import steps as module
from pipeline.pretraining.steps import optimise, run_resumable, warmup_cosine

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
        optimise(self.optimizer, loss, lr=0.1, clip_norm=100.0)
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


def test_learning_rate_warms_up_and_decays_to_0() -> None:
    rates = [warmup_cosine(progress, 0.03) for progress in np.linspace(0, 1, 101)]
    peak = int(np.argmax(rates))
    assert 0 < rates[0] < 0.1
    assert rates[peak] == pytest.approx(1, abs=1e-3)
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] == pytest.approx(0)


def test_step_has_the_learning_rate_and_the_clipped_gradient() -> None:
    weight = nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = torch.optim.SGD([weight], lr=9.0)
    optimise(optimizer, (weight * torch.tensor([3.0, 4.0])).sum(), lr=0.1, clip_norm=1.0)
    torch.testing.assert_close(weight.data, torch.tensor([0.94, 1.92]))
