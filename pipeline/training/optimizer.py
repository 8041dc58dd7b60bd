"""Parameter groups, optimisers and the learning rate of each step."""

from __future__ import annotations

import math
from typing import Any

from torch import nn, optim
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pipeline.options.run import TrainingOptions

BACKBONE = "backbone."


def parameter_groups(model: nn.Module, options: TrainingOptions) -> list[dict[str, Any]]:
    """Trainable parameters by `factor` (of the learning rate) and `weight_decay`.

    Everything outside `model.backbone` is scaled by head_lr_factor and biases by bias_lr_factor.
    With adamw, vectors (biases, norms) are not decayed; the other optimisers decay all.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        factor = 1.0 if name.startswith(BACKBONE) else options.head_lr_factor
        if name.endswith("bias"):
            factor *= options.bias_lr_factor
        decayed = options.optimizer != "adamw" or parameter.ndim > 1
        decay = options.weight_decay if decayed else 0.0
        groups.setdefault((factor, decay), []).append(parameter)
    return [
        {"params": parameters, "factor": factor, "weight_decay": decay}
        for (factor, decay), parameters in groups.items()
    ]


def make_optimizer(model: nn.Module, options: TrainingOptions) -> optim.Optimizer:
    """SGD with momentum, Adam or AdamW over `parameter_groups`; `set_rate` gives it its rate."""
    groups = parameter_groups(model, options)
    if options.optimizer == "sgd":
        return optim.SGD(groups, lr=options.lr, momentum=options.momentum, fused=True)
    kind = optim.AdamW if options.optimizer == "adamw" else optim.Adam
    return kind(groups, lr=options.lr, fused=True)


def make_average(model: nn.Module, options: TrainingOptions) -> AveragedModel | None:
    """The running average of `options.ema`, which starts as a copy of the model; None without."""
    if options.ema is None:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(options.ema), use_buffers=True)


def learning_rate(step: int, steps: int, options: TrainingOptions) -> float:
    """The rate of the backbone's matrices at `step` (0-based, over all epochs of `steps` each).

    Linear from warmup_start * lr to lr over warmup_epochs, then a cosine that reaches final_lr * lr
    at the very last step.
    """
    warmup = round(options.warmup_epochs * steps)
    if step < warmup:
        share = options.warmup_start + (1 - options.warmup_start) * step / warmup
        return options.lr * share
    progress = (step - warmup) / max(1, options.epochs * steps - 1 - warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return options.lr * (options.final_lr + (1 - options.final_lr) * cosine)


def set_rate(optimizer: optim.Optimizer, rate: float) -> None:
    """Give every group `rate` times its own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
