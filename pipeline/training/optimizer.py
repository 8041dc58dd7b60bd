"""Parameter groups, optimisers and learning rate schedules."""

from __future__ import annotations

from typing import Any

from timm.scheduler import CosineLRScheduler
from torch import nn, optim
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pipeline.options.run import TrainingOptions

BACKBONE = "backbone."


def parameter_groups(model: nn.Module, options: TrainingOptions) -> list[dict[str, Any]]:
    """Group the trainable parameters by learning rate and weight decay.

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
    # the released code scales `lr` itself: all groups start and end at the same rates
    scaled = options.schedule == "epoch"
    return [
        {
            "params": parameters,
            "lr": options.lr * (factor if scaled else 1),
            "lr_scale": 1.0 if scaled else factor,
            "weight_decay": decay,
        }
        for (factor, decay), parameters in groups.items()
    ]


def make_optimizer(model: nn.Module, options: TrainingOptions) -> optim.Optimizer:
    """Create SGD with momentum, Adam or AdamW over `parameter_groups`."""
    groups = parameter_groups(model, options)
    if options.optimizer == "sgd":
        return optim.SGD(groups, momentum=options.momentum, fused=True)
    kind = optim.AdamW if options.optimizer == "adamw" else optim.Adam
    return kind(groups, fused=True)


def make_average(model: nn.Module, options: TrainingOptions) -> AveragedModel | None:
    """Create the running average with decay `options.ema`, a copy of the model; None without."""
    if options.ema is None:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(options.ema), use_buffers=True)


class Schedule:
    """Set the learning rates of the optimiser: a linear warm-up, then a cosine (timm's scheduler).

    With `options.schedule` epoch, follow the released code: epoch 1 of E has the cosine's value at
    1 / E, and the last epoch has the final rate. With step, the first step has the first rate of
    the warm-up and the last step has the final rate.
    """

    def __init__(
        self, optimizer: optim.Optimizer, options: TrainingOptions, total_steps: int
    ) -> None:
        self._by_epoch = options.schedule == "epoch"
        length = options.epochs
        warmup: Any = options.warmup_epochs  # timm annotates int, but accepts fractions
        if not self._by_epoch:
            warmup = round(options.warmup_epochs * total_steps / options.epochs)
            length = max(1, total_steps - 1 - warmup)
        self._scheduler = CosineLRScheduler(
            optimizer,
            t_initial=length,
            lr_min=options.final_lr * options.lr,
            warmup_t=warmup,
            warmup_lr_init=options.warmup_start * options.lr,
            warmup_prefix=not self._by_epoch,
            t_in_epochs=self._by_epoch,
        )

    def set(self, epoch: int, step: int) -> None:
        """Set the rates of `step`, counted over all epochs; `epoch` and `step` count from 0."""
        if self._by_epoch:
            self._scheduler.step(epoch + 1)
        else:
            self._scheduler.step_update(step)
