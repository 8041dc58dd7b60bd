"""The training loop: steps, epochs and what is noted of them."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from pipeline.errors import InputError
from pipeline.files import atomic_file
from pipeline.model.dpeformer import DPEFormer
from pipeline.options.run import RunOptions, TrainingOptions
from pipeline.training.checkpoint import History, Progress, Row
from pipeline.training.losses import training_loss
from pipeline.training.memory import MemoryBank, contrasted_features
from pipeline.training.optimizer import learning_rate, set_rate
from pipeline.training.views import Batch, TrainingImages, normalise

QUANTILES = (10, 25, 50, 75, 90)
"""Of k, in percent."""
_ADVICE = "lower training.lr (now {lr:g}), set training.clip_norm or give compute.precision float32"


def of_rows(values: Any, rows: slice) -> Any:
    """The images `rows` of a tensor, of None, or of a named tuple of these."""
    if values is None:
        return None
    if isinstance(values, Tensor):
        return values[rows]
    return type(values)(*(of_rows(value, rows) for value in values))


@torch.no_grad()
def start_memories(
    model: DPEFormer, images: TrainingImages, options: RunOptions, device: torch.device
) -> dict[str, MemoryBank]:
    """A memory bank for each contrasted feature, from all images as they are, in eval mode."""
    model.eval()
    batch = 2 * options.training.identities * options.training.images
    names = contrasted_features(options.loss)
    features: dict[str, list[Tensor]] = {name: [] for name in names}
    for start in range(0, len(images), batch):
        rows = range(start, min(start + batch, len(images)))
        pixels = torch.from_numpy(np.stack([images[i] for i in rows])).permute(0, 3, 1, 2)
        cameras = torch.from_numpy(images.cameras[rows.start : rows.stop]).to(device)
        found = model(normalise(pixels.to(device), options.image), cameras)
        for name in names:
            features[name].append(getattr(found, name))
    memories = {}
    for name in names:
        whole = torch.cat(features[name])  # (M, F)
        memories[name] = MemoryBank(images.identities, whole.shape[1], options.loss).to(device)
        memories[name].start(whole, torch.from_numpy(images.labels).to(device))
    return memories


@dataclass(frozen=True)
class Learner:
    """A model in training and what changes along with it."""

    model: DPEFormer
    memories: dict[str, MemoryBank]
    """One for each contrasted feature, by its name."""
    optimizer: optim.Optimizer
    options: RunOptions
    device: torch.device
    average: AveragedModel | None = None
    """The running average of the model, where one is kept."""

    @property
    def result(self) -> nn.Module:
        """The model whose weights count."""
        return self.model if self.average is None else self.average.module

    def step(self, batch: Batch, rate: float) -> tuple[dict[str, float], list[int]]:
        """One update from both views of a batch, in one forward pass.

        Returns the losses by name, and how many tokens DPSM kept in each clean view (empty without
        selection). Raises NonFiniteError before the weights are touched.
        """
        set_rate(self.optimizer, rate)
        labels = batch.labels.to(self.device, non_blocking=True)
        pixels = torch.cat([batch.clean, batch.second]).to(self.device, non_blocking=True)
        cameras = batch.cameras.repeat(2).to(self.device, non_blocking=True)
        features = self.model(normalise(pixels, self.options.image), cameras)
        logits = self.model.classify(features)
        clean, second = slice(None, len(labels)), slice(len(labels), None)
        losses = training_loss(
            of_rows(features, clean),
            of_rows(features, second),
            of_rows(logits, clean),
            of_rows(logits, second),
            labels,
            self.memories,
            self.options.loss,
            self.options.augment.occlusion != "none",
        )
        self.optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        # reading the values waits for a GPU: only when it has all the work of the backward pass
        values = torch.stack([loss.detach() for loss in losses.values()]).tolist()
        named = dict(zip(losses, values, strict=True))
        _check_finite(named)
        self._update()
        for name, memory in self.memories.items():
            memory.update(getattr(features, name)[clean].detach(), labels)
        selection = features.selection
        return named, [] if selection is None else selection.k[clean].tolist()

    def _update(self) -> None:
        if self.options.training.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.options.training.clip_norm)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.model)


class NonFiniteError(Exception):
    """A loss, or the weights, are infinite or not a number."""


def _check_finite(losses: dict[str, float]) -> None:
    parts = sorted(losses, key=lambda name: name == "total")  # the sum is never the culprit
    for name in parts:
        if not math.isfinite(losses[name]):
            raise NonFiniteError(f"the loss {name} is {losses[name]}")


def _check_weights(model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise NonFiniteError(f"the weights {name} are not finite after the last step")


def run_steps(
    learner: Learner, batches: Iterator[Batch], steps: int, seed: int, progress: Progress
) -> Generator[bool]:
    """Train from where `progress` is to the end; yields after each step whether it ended an epoch.

    An epoch has `steps`. At each yield `progress` is up to date, with a row for each epoch that is
    over: losses are means over its steps, the quantiles of k (k_q10 to k_q90) are over all clean
    views (empty without selection), and images_per_second counts each image once, not its two
    views. Raises InputError with the epoch, the step and the culprit when something is no longer
    finite.
    """
    options = learner.options.training
    total = options.epochs * steps
    with tqdm(total=total, initial=progress.step, mininterval=5, dynamic_ncols=True) as bar:
        while progress.step < total:
            epoch, step = divmod(progress.step, steps)
            bar.set_description(f"train, epoch {epoch + 1} of {options.epochs}", refresh=False)
            try:
                loss = _run_step(learner, batches, steps, seed, progress)
            except NonFiniteError as error:
                raise InputError(
                    f"training: epoch {epoch + 1} of {options.epochs}, step {step + 1} of {steps}: "
                    f"{error}, expected finite numbers: {_ADVICE.format(lr=options.lr)}"
                ) from None
            yield step + 1 == steps
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update()


def _run_step(
    learner: Learner, batches: Iterator[Batch], steps: int, seed: int, progress: Progress
) -> float:
    """The step that follows those of `progress`; returns its total loss."""
    started = time.perf_counter()
    epoch, step = divmod(progress.step, steps)
    rate = learning_rate(progress.step, steps, learner.options.training)
    learner.model.train()
    # drop-path draws from torch's global generator: its state follows from the step alone
    torch.manual_seed(int(np.random.SeedSequence([seed, epoch, step]).generate_state(1)[0]))
    losses, kept = learner.step(next(batches), rate)
    sums = progress.losses
    progress.losses = {name: sums.get(name, 0.0) + value for name, value in losses.items()}
    progress.kept += kept
    progress.epoch_seconds += time.perf_counter() - started
    progress.step += 1
    if step + 1 == steps:
        _check_weights(learner.model)
        progress.history.append(_row(progress, rate, steps, learner.options.training))
        progress.losses, progress.kept, progress.epoch_seconds = {}, [], 0.0
    return losses["total"]


def _row(progress: Progress, rate: float, steps: int, options: TrainingOptions) -> Row:
    """The history's row of an epoch that is over; `rate` was its last."""
    means = {name: value / steps for name, value in progress.losses.items()}
    images = steps * options.identities * options.images
    return {
        "epoch": progress.step // steps,
        "lr": rate,
        "seconds": round(progress.epoch_seconds, 3),
        "images_per_second": round(images / progress.epoch_seconds, 1),
        **_quantiles(progress.kept),
        "loss": means.pop("total"),
        **means,
    }


def _quantiles(kept: list[int]) -> Row:
    """How many tokens were kept, as quantiles; empty values where nothing is selected."""
    names = (f"k_q{percent}" for percent in QUANTILES)
    values = np.percentile(kept, QUANTILES).tolist() if kept else [""] * len(QUANTILES)
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
