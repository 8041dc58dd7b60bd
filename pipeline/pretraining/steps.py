"""Steps of both pretrainings: learning rate, optimiser, resumption."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from pipeline.training.checkpoint import Checkpointer, Progress

_CHECKPOINT_STEPS = 500
_AVERAGED_STEPS = 200  # of the losses in the progress bar


def warmup_cosine(progress: float, warmup: float) -> float:
    """Return the factor of the highest learning rate: a linear warm-up, then half a cosine to 0.

    `progress` and `warmup` are fractions of all steps.
    """
    if progress < warmup:
        return max(progress / warmup, 1e-3)
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def optimise(optimizer: torch.optim.Optimizer, loss: Tensor, lr: float, clip_norm: float) -> None:
    """Take one step with the learning rate `lr` and clipped gradients."""
    optimizer.zero_grad()
    loss.backward()
    for group in optimizer.param_groups:
        group["lr"] = lr
    nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], clip_norm)
    optimizer.step()


def run_resumable(
    title: str,
    steps: int,
    update: Callable[[int], Mapping[str, float]],
    checkpoint: Path,
    run: str,
    parts: dict[str, Any],
) -> None:
    """Call `update(step)` for each step, which returns losses to show.

    `checkpoint` saves `parts` (name to module or optimiser); the next call with the same
    fingerprint `run` resumes from it. It is deleted at the end. The randomness of `update` must
    depend on the step alone.
    """
    checkpointer = Checkpointer(checkpoint, run, parts)
    progress = checkpointer.restore(torch.device("cpu")) or Progress(datetime.now(UTC).isoformat())
    means: dict[str, float] = {}
    first = progress.step
    bar = tqdm(range(first, steps), title, steps, initial=first, mininterval=5)
    for step in bar:
        for name, loss in update(step).items():
            mean = means.get(name, loss)
            means[name] = mean + (loss - mean) / min(step + 1 - first, _AVERAGED_STEPS)
        bar.set_postfix({name: f"{mean:.3f}" for name, mean in means.items()}, refresh=False)
        progress.step = step + 1
        if progress.step % _CHECKPOINT_STEPS == 0:
            checkpointer.save(progress)
    checkpointer.finish(progress)
    checkpoint.unlink()
