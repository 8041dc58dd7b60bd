"""The steps of both pretrainings: an hour or more of them, so that they resume."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from pipeline.training.checkpoint import Checkpointer, Progress

_SAVED = 500  # steps between two checkpoints
_REMEMBERED = 200  # steps that the progress bar averages over


def run_steps(
    title: str,
    steps: int,
    update: Callable[[int], Mapping[str, float]],
    checkpoint: Path,
    run: str,
    parts: dict[str, Any],
) -> None:
    """Call `update(step)` for each step, which returns losses to show.

    `parts` (name to module or optimiser) are saved in `checkpoint`, and the next call with the same
    fingerprint `run` resumes from there. `checkpoint` is deleted at the end. What `update` draws
    must be a function of the step.
    """
    checkpointer = Checkpointer(checkpoint, run, parts)
    progress = checkpointer.restore(torch.device("cpu")) or Progress(datetime.now(UTC).isoformat())
    means: dict[str, float] = {}
    first = progress.step
    bar = tqdm(range(first, steps), title, steps, initial=first, mininterval=5)
    for step in bar:
        for name, loss in update(step).items():
            mean = means.get(name, loss)
            means[name] = mean + (loss - mean) / min(step + 1 - first, _REMEMBERED)
        bar.set_postfix({name: f"{mean:.3f}" for name, mean in means.items()}, refresh=False)
        progress.step = step + 1
        if progress.step % _SAVED == 0:
            checkpointer.save(progress)
    checkpointer.finish(progress)
    checkpoint.unlink()
