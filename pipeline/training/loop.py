"""The training loop: steps and epochs."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from pipeline.data.training_images import TrainingImages
from pipeline.device import strictly_deterministic
from pipeline.model.backbone import normalise
from pipeline.model.dpeformer import DPEFormer, Features
from pipeline.options.run import LossOptions, RunOptions
from pipeline.ranks import ALONE, Ranks
from pipeline.training.history import LossReader, history_row
from pipeline.training.losses import training_loss
from pipeline.training.memory import MemoryBank, contrasted_features
from pipeline.training.optimizer import Schedule
from pipeline.training.sampling import PKBatchSampler
from pipeline.training.views import TrainingBatch


def index_batch(values: Any, rows: slice) -> Any:
    """Select the images `rows` of a tensor, of None, or of a named tuple of these."""
    if values is None:
        return None
    if isinstance(values, Tensor):
        return values[rows]
    return type(values)(*(index_batch(value, rows) for value in values))


def make_memories(
    model: DPEFormer, identities: int, options: LossOptions, device: torch.device
) -> dict[str, MemoryBank]:
    """Create an empty memory bank for each contrasted feature, by name."""
    return {
        name: MemoryBank(
            identities, model.width_of(name), options.temperature, options.memory_momentum
        ).to(device)
        for name in contrasted_features(options.contrast)
    }


@torch.no_grad()
def start_memories(learner: Learner, images: TrainingImages) -> None:
    """Fill the memory banks with the features of all images, unaugmented, in eval mode."""
    if not learner.memories:
        return
    model, options, device = learner.model.eval(), learner.options, learner.device
    mean, std = options.image.mean, options.image.std
    batch = options.training.identities * options.training.images
    features = {
        name: torch.zeros(len(images), model.width_of(name), device=device)
        for name in learner.memories
    }
    ranks = learner.ranks
    for start in range(ranks.number * batch, len(images), ranks.count * batch):
        rows = range(start, min(start + batch, len(images)))
        pixels = torch.from_numpy(np.stack([images[i] for i in rows])).permute(0, 3, 1, 2)
        cameras = torch.from_numpy(images.cameras[rows.start : rows.stop]).to(device)
        output = model(normalise(pixels.to(device), mean, std), cameras)
        for name, values in features.items():
            values[rows.start : rows.stop] = getattr(output, name)
    labels = torch.from_numpy(images.labels).to(device)
    for name, memory in learner.memories.items():
        memory.start(ranks.sum(features[name]), labels)


@dataclass(frozen=True)
class Learner:
    """A model in training and all that is updated with it."""

    model: DPEFormer
    memories: dict[str, MemoryBank]
    """One for each contrasted feature, by name."""
    optimizer: optim.Optimizer
    options: RunOptions
    device: torch.device
    average: AveragedModel | None = None
    """Running average of the weights; None without `training.ema`."""
    ranks: Ranks = ALONE
    """The processes that share the training; each has a learner."""
    compiled: bool = False
    """Whether torch.compile makes kernels of the forward and backward pass, and on one GPU a CUDA
    graph of them, so that the host does not start each kernel."""

    @cached_property
    def forward(self) -> Callable[..., Features]:
        """The model as `step` calls it; others are too few calls to pay for compiling."""
        if not self.compiled:
            return self.model
        mode = "reduce-overhead" if self.ranks.count == 1 else "default"
        forward: Callable[..., Features] = torch.compile(self.model, mode=mode)
        return forward

    @property
    def result(self) -> nn.Module:
        """The model whose weights are the result."""
        return self.model if self.average is None else self.average.module

    def step(self, batch: TrainingBatch) -> tuple[dict[str, Tensor], Tensor | None]:
        """Update once on both views of a batch, in one forward pass, without waiting for a GPU.

        `batch` is the part of the rank. Returns the losses by name (scalars), and the number of
        tokens that DPSM kept in each clean view, (B,) int64 (None without selection), of the whole
        batch.
        """
        batch = TrainingBatch(*(part.to(self.device, non_blocking=True) for part in batch))
        labels, cameras = self.ranks.gather(batch.labels), batch.cameras.repeat(2)
        pixels = torch.cat([batch.clean, batch.second])
        image, weights = self.options.image, self.options.loss
        features = self.forward(normalise(pixels, image.mean, image.std), cameras, views=2)
        logits = self.model.classify(features)
        clean, second = slice(None, len(labels)), slice(len(labels), None)
        occluded = self.options.augment.occlusion != "none"
        losses = training_loss(
            index_batch(features, clean),
            index_batch(features, second),
            index_batch(logits, clean),
            index_batch(logits, second),
            labels,
            self.memories,
            global_weight=weights.global_weight,
            second_weight=weights.occluded_contrast if occluded else 1.0,
            label_smoothing=weights.label_smoothing,
        )
        self.optimizer.zero_grad(set_to_none=True)
        with strictly_deterministic(self.device):
            losses["total"].backward()
        self._update()
        for name, memory in self.memories.items():
            memory.update(getattr(features, name)[clean].detach(), labels)
        # a CUDA graph writes its outputs to the same memory at each step
        k = None if features.selection is None else features.selection.k[clean].clone()
        return {name: loss.detach() for name, loss in losses.items()}, k

    def _update(self) -> None:
        self.ranks.sum_gradients(self.model.image_parameters())
        if self.options.training.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.options.training.clip_norm)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.model)


def run_steps(
    learner: Learner,
    batches: Iterator[TrainingBatch],
    sampler: PKBatchSampler,
    seed: int,
    reader: LossReader,
) -> Generator[bool]:
    """Train to the end from `reader.progress`; yield after each step whether it ended an epoch.

    `batches` come from `sampler`. At each yield the progress is up to date, but for the losses that
    `reader` has not read, with one row per finished epoch: losses are means over the steps, k_q10
    to k_q90 are percentiles of k over the clean views (empty without selection), images_per_second
    counts the two views of an image once. Raises InputError with epoch, step and cause if a loss or
    a weight is not finite.
    """
    options, progress = learner.options.training, reader.progress
    total = len(sampler)
    schedule = Schedule(learner.optimizer, options, total)
    with tqdm(
        total=total,
        initial=progress.step,
        mininterval=5,
        dynamic_ncols=True,
        disable=not learner.ranks.first,
    ) as bar:
        while progress.step < total:
            epoch, step = sampler.locate(progress.step)
            steps = sampler.steps(epoch)
            position = f"epoch {epoch + 1} of {options.epochs}, step {step + 1} of {steps}"
            bar.set_description(f"train, epoch {epoch + 1} of {options.epochs}", refresh=False)
            schedule.set(epoch, progress.step)
            batch = next(batches)
            started = time.perf_counter()
            if not learner.model.training:  # at the start, and after a measurement
                learner.model.train()
            # drop-path uses torch's global generator: seed it by the step, so that a run can resume
            torch.manual_seed(_step_seed(seed, epoch, step))
            reader.add(position, *learner.step(batch))
            ended = step + 1 == steps
            if ended:
                reader.read()
            progress.epoch_seconds += time.perf_counter() - started
            progress.step += 1
            if ended:
                _end_epoch(learner, reader, position, steps)
            yield ended
            bar.set_postfix(loss=f"{reader.loss:.3f}", refresh=False)
            bar.update()


def _step_seed(seed: int, epoch: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, epoch, step]).generate_state(1)[0])


def _end_epoch(learner: Learner, reader: LossReader, position: str, steps: int) -> None:
    """Add a finished epoch of `steps` steps to the history and reset its sums."""
    for name, parameter in learner.model.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise reader.error(position, f"the weights {name} are not finite after the last step")
    progress = reader.progress
    lr = learner.optimizer.param_groups[0]["lr"]
    progress.history.append(history_row(progress, learner.options.training, steps, lr))
    progress.losses, progress.k_values, progress.epoch_seconds = {}, [], 0.0
