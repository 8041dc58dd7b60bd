"""Stage: train one variant with one seed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from pipeline.cli import run_stage
from pipeline.data.shards import ShardReader
from pipeline.files import sha256, write_json
from pipeline.model.dpeformer import build_model
from pipeline.model.weights import save_weights
from pipeline.occluders.bank import load_bank
from pipeline.options.compute import ComputeOptions
from pipeline.options.run import RunOptions
from pipeline.training.checkpoint import Checkpoint, fingerprint
from pipeline.training.device import choose_device, choose_precision, make_deterministic
from pipeline.training.loop import Learner, Row, run_epoch, start_memories, write_history
from pipeline.training.occlusion import Occluder, make_occluder
from pipeline.training.optimizer import make_average, make_optimizer
from pipeline.training.record import environment, peak_memory_mib, run_facts
from pipeline.training.token_quality import TokenQuality
from pipeline.training.views import Batch, Places, TrainingImages, TwoViews, load_batches


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def train(
    shards: Path,
    weights: Path,
    history: Path,
    record: Path,
    state: Path,
    options: RunOptions,
    compute: ComputeOptions,
    dataset: str,
    variant: str,
    seed: int,
    bank: Path | None = None,
    truth: Path | None = None,
) -> None:
    """Train DPEFormer (arXiv 2402.10435) or one of its variants on the shards named `train`.

    Writes the weights (safetensors, with the classifiers), the history (one row per epoch) and the
    record (JSON). `state` is written after every epoch; a run that was stopped resumes from it and
    ends with the same weights as one that was not; it is deleted at the end. `bank` is read only
    where augment.occlusion is roa. The weights after the last epoch are the result, or with
    `training.ema` their running average. With `truth`, the masks of a drawn benchmark, the history
    says after each epoch how well the scores of DPSM tell the person from the rest (token_auc).
    Raises InputError for shards or a bank that are damaged, for fewer identities than a batch holds
    and when a loss or the weights are no longer finite.
    """
    started, clock = _now(), time.perf_counter()
    device = choose_device(compute)
    precision = choose_precision(compute, device)
    make_deterministic(device)
    bank = bank if options.augment.occlusion == "roa" else None
    images = TrainingImages(ShardReader(shards, "train"), options.image)
    views = TwoViews(images, options.augment, _make_occluder(options, bank, images), seed)
    learner = _make_learner(images, options, seed, precision, device)
    facts = run_facts(shards, bank, options, seed)
    checkpoint = Checkpoint(state, fingerprint(facts), _parts(learner))
    rows = checkpoint.restore(device)
    places = Places(images.labels, options.training, seed, first_epoch=len(rows))
    batches = load_batches(views, places, compute.workers, pin=device.type == "cuda")
    selects = options.model.selection == "dpsm"
    quality = TokenQuality(images, truth, options) if truth and selects else None
    for row in _epochs(learner, batches, places):
        token_auc = quality.measure(learner.model) if quality else ""
        rows.append(row | {"token_auc": token_auc})
        write_history(history, rows)
        checkpoint.save(rows)
    save_weights(learner.result, weights)
    facts["hashes"] |= {"weights": sha256(weights), "history": sha256(history)}
    seconds = round(time.perf_counter() - clock, 3)
    facts |= {"dataset": dataset, "variant": variant}
    facts |= {"identities": images.identities, "train_images": len(images)}
    facts |= {"cameras": images.camera_numbers}
    facts |= {"compute": compute.model_dump(mode="json"), "device": str(device)}
    facts |= {"precision": precision, "peak_memory_mib": peak_memory_mib()}
    facts |= {"started": started, "finished": _now(), "seconds": seconds}
    write_json(record, facts | environment())
    checkpoint.remove()
    print(f"{weights}: {variant}, seed {seed}, {len(rows)} epochs in {seconds:.1f} s")


def _make_learner(
    images: TrainingImages,
    options: RunOptions,
    seed: int,
    precision: str,
    device: torch.device,
) -> Learner:
    """The model before its first step; what is random in it follows from `seed`."""
    torch.manual_seed(seed)
    model = build_model(
        options,
        images.identities,
        pretrained=True,
        precision=precision,
        cameras=images.camera_numbers,
    )
    model.to(device)
    memories = start_memories(model, images, options, device)
    optimizer = make_optimizer(model, options.training)
    average = make_average(model, options.training)
    return Learner(model, memories, optimizer, options, device, average)


def _parts(learner: Learner) -> dict[str, Any]:
    """All that changes in training, by name."""
    parts = {"model": learner.model, "optimizer": learner.optimizer}
    parts |= {f"memory of {name}": memory for name, memory in learner.memories.items()}
    return parts if learner.average is None else parts | {"average": learner.average}


def _make_occluder(
    options: RunOptions, bank: Path | None, images: TrainingImages
) -> Occluder | None:
    cut_outs = [] if bank is None else load_bank(bank)
    return make_occluder(options.augment.occlusion, cut_outs, images)


def _epochs(learner: Learner, batches: Iterator[Batch], places: Places) -> Iterator[Row]:
    """Train from the first epoch of `places` on; yields the row of each epoch when it is over."""
    first, last, steps = places.first_epoch, learner.options.training.epochs, places.steps()
    with tqdm(
        total=last * steps, initial=first * steps, mininterval=5, dynamic_ncols=True
    ) as progress:
        for epoch in range(first, last):
            progress.set_description(f"train, epoch {epoch + 1} of {last}")
            # drop-path draws from torch's global generator: its state follows from the epoch alone
            state = np.random.SeedSequence([places.seed, epoch]).generate_state(1)
            torch.manual_seed(int(state[0]))
            yield run_epoch(learner, batches, epoch, steps, progress)


if __name__ == "__main__":
    run_stage(train)
