"""The steps of both pretrainings, which resume after an interruption."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from pipeline.training.checkpoint import Checkpointer, Progress

_CHECKPOINT_STEPS = 500
_AVERAGED_STEPS = 200  # of the losses in the progress bar


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
