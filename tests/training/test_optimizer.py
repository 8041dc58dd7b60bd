from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from pipeline.options.run import TrainingOptions
from pipeline.training.optimizer import (
    learning_rate,
    make_average,
    make_optimizer,
    parameter_groups,
    set_rate,
)


class Toy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))
        self.head = nn.Linear(3, 4)
        self.frozen = nn.Linear(3, 4).requires_grad_(False)


def facts(options: TrainingOptions) -> dict[str, tuple[float, float]]:
    """Factor and weight decay of each trainable parameter, by its name."""
    model = Toy()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = [
        (names[id(parameter)], (group["factor"], group["weight_decay"]))
        for group in parameter_groups(model, options)
        for parameter in group["params"]
    ]
    assert len(found) == len(dict(found))
    return dict(found)


def test_sgd_decays_all_and_doubles_biases() -> None:
    options = TrainingOptions(optimizer="sgd", bias_lr_factor=2.0, weight_decay=0.1)
    assert facts(options) == {
        "backbone.0.weight": (1.0, 0.1),
        "backbone.0.bias": (2.0, 0.1),
        "backbone.1.weight": (1.0, 0.1),
        "backbone.1.bias": (2.0, 0.1),
        "head.weight": (1.0, 0.1),
        "head.bias": (2.0, 0.1),
    }


def test_adamw_decays_matrices_only_and_speeds_up_heads() -> None:
    options = TrainingOptions(
        optimizer="adamw", head_lr_factor=7.0, bias_lr_factor=1.0, weight_decay=0.1
    )
    assert facts(options) == {
        "backbone.0.weight": (1.0, 0.1),
        "backbone.0.bias": (1.0, 0.0),
        "backbone.1.weight": (1.0, 0.0),
        "backbone.1.bias": (1.0, 0.0),
        "head.weight": (7.0, 0.1),
        "head.bias": (7.0, 0.0),
    }


def test_schedule_warms_up_then_follows_a_cosine() -> None:
    options = TrainingOptions(epochs=6, lr=2.0, warmup_epochs=1.5, warmup_start=0.1, final_lr=0.05)
    rates = [learning_rate(step, 10, options) for step in range(60)]
    for step in range(15):
        assert rates[step] == pytest.approx(2.0 * (0.1 + 0.9 * step / 15))
    for step in range(15, 60):
        half_wave = (1 + math.cos(math.pi * (step - 15) / 44)) / 2
        assert rates[step] == pytest.approx(2.0 * 0.05 + 2.0 * 0.95 * half_wave)
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[15] == pytest.approx(2.0)
    assert rates[-1] == pytest.approx(0.1)


def test_schedule_without_warm_up_and_with_nothing_but() -> None:
    flat = TrainingOptions(epochs=1, lr=1.0, warmup_epochs=0.0)
    assert learning_rate(0, 1, flat) == 1.0
    short = TrainingOptions(epochs=1, lr=1.0, warmup_epochs=5.0, warmup_start=0.0)
    assert learning_rate(3, 4, short) == pytest.approx(3 / 20)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_a_step_moves_each_group_by_its_own_rate(name: str) -> None:
    """The first step of Adam is the rate itself; that of SGD is the rate times the gradient."""
    options = TrainingOptions.model_validate(
        {"optimizer": name, "head_lr_factor": 3.0, "bias_lr_factor": 2.0, "weight_decay": 0.0}
    )
    model = Toy()
    optimizer = make_optimizer(model, options)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    set_rate(optimizer, 0.01)
    optimizer.step()
    factors = {key: factor for key, (factor, _) in facts(options).items()}
    for key, value in model.state_dict().items():
        moved = before[key] - value
        expected = torch.full_like(moved, 0.01 * factors.get(key, 0.0))
        assert torch.allclose(moved, expected, atol=1e-6), key


def test_the_running_average_forgets_the_old_weights_by_its_decay() -> None:
    assert make_average(Toy(), TrainingOptions()) is None
    model = Toy()
    average = make_average(model, TrainingOptions(ema=0.9))
    expected = {name: value.clone() for name, value in model.named_parameters()}
    for step in range(4):
        for name, parameter in model.named_parameters():
            parameter.data += step + 1
            decay = 0 if step == 0 else 0.9  # the first update is a copy
            expected[name] = decay * expected[name] + (1 - decay) * parameter.detach()
        average.update_parameters(model)
    for name, value in average.module.named_parameters():
        assert torch.allclose(value, expected[name], atol=1e-6), name
