"""The history of a training: losses, k and speed of each epoch."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import InputError
from pipeline.files import atomic_file
from pipeline.options.run import TrainingOptions
from pipeline.training.checkpoint import History, HistoryRow, Progress

QUANTILES = (10, 25, 50, 75, 90)
"""Percentiles of k in the history."""
READ_EVERY = 20
"""Steps between two readings of the losses from the device."""
_ADVICE = "lower training.lr (now {lr:g}), set training.clip_norm or give compute.precision float32"


class LossReader:
    """Adds the losses and k values of the steps to the progress of a run.

    It reads them some steps late: reading waits for a GPU, which would be idle after each step.
    """

    def __init__(self, progress: Progress, options: TrainingOptions) -> None:
        self.progress = progress
        self.loss = math.nan
        """Total loss of the last step that was read."""
        self._options = options
        self._unread: list[tuple[str, dict[str, Tensor], Tensor | None]] = []

    def add(self, position: str, losses: dict[str, Tensor], k: Tensor | None) -> None:
        """Take the result of `Learner.step` at `position`, which an error names."""
        self._unread.append((position, losses, k))
        if len(self._unread) == READ_EVERY:
            self.read()

    def read(self) -> None:
        """Read all steps added so far; InputError with the position if a loss is not finite."""
        if not self._unread:
            return
        positions, losses, k_values = zip(*self._unread, strict=True)
        self._unread = []
        values = torch.stack([torch.stack(list(step.values())) for step in losses]).tolist()
        for position, names, step in zip(positions, losses, values, strict=True):
            self._add(position, dict(zip(names, step, strict=True)))
        if k_values[0] is not None:
            self.progress.k_values += torch.cat(k_values).tolist()

    def _add(self, position: str, losses: dict[str, float]) -> None:
        terms_first = sorted(losses, key=lambda name: name == "total")  # a term explains the total
        for name in terms_first:
            if not math.isfinite(losses[name]):
                raise self.error(position, f"the loss {name} is {losses[name]}")
        sums = self.progress.losses
        self.progress.losses = {name: sums.get(name, 0.0) + loss for name, loss in losses.items()}
        self.loss = losses["total"]

    def error(self, position: str, found: str) -> InputError:
        """Describe a training that diverged."""
        advice = _ADVICE.format(lr=self._options.lr)
        return InputError(f"training: {position}: {found}, expected finite numbers: {advice}")


def history_row(progress: Progress, options: TrainingOptions, steps: int, lr: float) -> HistoryRow:
    """Summarise a finished epoch of `steps` steps; `lr` is the backbone's in the last one."""
    means = {name: value / steps for name, value in progress.losses.items()}
    images = steps * options.identities * options.images
    return {
        "epoch": len(progress.history) + 1,
        "lr": lr,
        "seconds": round(progress.epoch_seconds, 3),
        "images_per_second": round(images / progress.epoch_seconds, 1),
        **_k_quantiles(progress.k_values),
        "loss": means.pop("total"),
        **means,
    }


def _k_quantiles(k_values: list[int]) -> HistoryRow:
    """Compute the `QUANTILES` of k; values are empty without selection."""
    names = (f"k_q{percent}" for percent in QUANTILES)
    values = np.percentile(k_values, QUANTILES).tolist() if k_values else [""] * len(QUANTILES)
    return dict(zip(names, values, strict=True))


def write_history(path: Path, history: History) -> None:
    """Write history.csv, one row per epoch."""
    with (
        atomic_file(path) as partial,
        open(partial, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, list(history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
