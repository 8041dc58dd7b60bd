from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from pipeline.options.run import TrainingOptions
from pipeline.training.optimizer import (
    Schedule,
    make_average,
    make_optimizer,
    parameter_groups,
)


class Toy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))
        self.head = nn.Linear(3, 4)
        self.frozen = nn.Linear(3, 4).requires_grad_(False)


def facts(options: TrainingOptions) -> dict[str, tuple[float, float]]:
    """Factor and weight decay of each trainable parameter, by name."""
    model = Toy()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = [
        (names[id(parameter)], (group["lr_scale"], group["weight_decay"]))
        for group in parameter_groups(model, options)
        for parameter in group["params"]
    ]
    assert len(found) == len(dict(found))
    return dict(found)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"optimizer": "sgd", "bias_lr_factor": 2.0},
            {
                "backbone.0": (1, 0.1, 2, 0.1),
                "backbone.1": (1, 0.1, 2, 0.1),
                "head": (1, 0.1, 2, 0.1),
            },
        ),
        (
            {"optimizer": "adamw", "head_lr_factor": 7.0, "bias_lr_factor": 1.0},
            {"backbone.0": (1, 0.1, 1, 0), "backbone.1": (1, 0, 1, 0), "head": (7, 0.1, 7, 0)},
        ),
    ],
)
def test_sgd_decays_all_and_adamw_matrices_only(values: dict, expected: dict) -> None:
    """Expected: factor and weight decay of each layer's weight, then of its bias."""
    found = facts(TrainingOptions(schedule="step", weight_decay=0.1, **values))
    assert len(found) == 6
    for layer, numbers in expected.items():
        assert (*found[f"{layer}.weight"], *found[f"{layer}.bias"]) == numbers


def rates(options: TrainingOptions, steps: int) -> dict[str, list[float]]:
    """The rates of the backbone's matrices and of the head's at each step, `steps` an epoch."""
    options = options.model_copy(update={"head_lr_factor": options.head_lr_factor + 1e-9})
    optimizer = make_optimizer(Toy(), options)
    schedule = Schedule(optimizer, options, options.epochs * steps)
    found: dict[str, list[float]] = {"backbone": [], "head": []}
    for step in range(options.epochs * steps):
        schedule.set(step // steps, step)
        matrices = [g for g in optimizer.param_groups if g["params"][0].ndim == 2]
        for name, group in zip(found, matrices, strict=True):
            found[name].append(group["lr"])
    return found


def test_the_schedule_by_step_warms_up_then_follows_a_cosine() -> None:
    options = TrainingOptions(
        schedule="step",
        epochs=6,
        lr=2.0,
        head_lr_factor=3.0,
        warmup_epochs=1.5,
        warmup_start=0.1,
        final_lr=0.05,
    )
    found = rates(options, 10)["backbone"]
    for step in range(15):
        assert found[step] == pytest.approx(2.0 * (0.1 + 0.9 * step / 15))
    for step in range(15, 60):
        half_wave = (1 + math.cos(math.pi * (step - 15) / 44)) / 2
        assert found[step] == pytest.approx(2.0 * 0.05 + 2.0 * 0.95 * half_wave)
    assert found[0] == pytest.approx(0.2)
    assert max(found) == found[15] == pytest.approx(2.0)
    assert found[-1] == pytest.approx(0.1)
    assert rates(options, 10)["head"] == pytest.approx([3 * rate for rate in found])


def test_schedule_by_step_with_one_step_has_the_highest_rate() -> None:
    flat = TrainingOptions(schedule="step", epochs=1, lr=1.0, warmup_epochs=0.0)
    assert rates(flat, 1)["backbone"] == [1.0]


def test_the_schedule_by_epoch_is_that_of_the_released_code() -> None:
    """Epochs count from 1; the cosine spans all of them, and every group has the same two ends."""
    options = TrainingOptions(epochs=120, lr=0.008, head_lr_factor=2.0)
    found = rates(options, 2)
    for name, top in (("backbone", 0.008), ("head", 0.016)):
        for epoch in range(1, 121):
            if epoch < 5:
                expected = 8e-5 + epoch * (top - 8e-5) / 5
            else:
                wave = (1 + math.cos(math.pi * epoch / 120)) / 2
                expected = 1.6e-5 + (top - 1.6e-5) * wave
            pair = found[name][2 * epoch - 2 : 2 * epoch]
            assert pair == pytest.approx([expected, expected], rel=1e-9), (name, epoch)


def test_schedule_resumes_with_a_restored_optimizer() -> None:
    options = TrainingOptions(epochs=4, warmup_epochs=1.0)
    optimizer = make_optimizer(Toy(), options)
    schedule = Schedule(optimizer, options, 8)
    schedule.set(1, 2)
    restored = make_optimizer(Toy(), options)
    restored.load_state_dict(optimizer.state_dict())
    resumed = Schedule(restored, options, 8)
    for each in (schedule, resumed):
        each.set(3, 6)
    found, expected = (
        [group["lr"] for group in each.param_groups] for each in (restored, optimizer)
    )
    assert found == expected


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_a_step_moves_each_group_by_its_own_rate(name: str) -> None:
    """The first step of Adam is the rate itself; that of SGD is the rate times the gradient."""
    options = TrainingOptions.model_validate(
        {
            "optimizer": name,
            "lr": 0.01,
            "head_lr_factor": 3.0,
            "bias_lr_factor": 2.0,
            "weight_decay": 0.0,
        }
    )
    model = Toy()
    optimizer = make_optimizer(model, options)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    scaled = options.model_copy(update={"schedule": "step"})
    factors = {key: factor for key, (factor, _) in facts(scaled).items()}
    for key, value in model.state_dict().items():
        moved = before[key] - value
        expected = torch.full_like(moved, 0.01 * factors.get(key, 0.0))
        assert torch.allclose(moved, expected, atol=1e-6), key


def test_running_average_decays_old_weights() -> None:
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
