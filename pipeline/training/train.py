"""Stage: train one variant with one seed."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import torch

from pipeline.data.joint import read_parts
from pipeline.data.shards import ShardReader
from pipeline.data.trainable import check_trainable
from pipeline.data.training_images import TrainingImages
from pipeline.data.workers import explain_worker_errors
from pipeline.device import (
    choose_device,
    choose_precision,
    make_deterministic,
    nondeterminism_warnings,
)
from pipeline.elastic import on_ranks
from pipeline.evaluation.token_quality import TokenQuality
from pipeline.files import sha256, write_json
from pipeline.fit import check_split
from pipeline.model.build import build_model, describe
from pipeline.model.weights import save_weights
from pipeline.occluders.bank import load_bank
from pipeline.options.compute import ComputeOptions
from pipeline.options.run import RunOptions, TrainingNeeds
from pipeline.options.tracking import Destination
from pipeline.provenance.code import fingerprint
from pipeline.provenance.environment import current_environment
from pipeline.ranks import Ranks, joined_ranks
from pipeline.tracking.live import Training, live_tracking
from pipeline.training.checkpoint import Checkpointer, Progress
from pipeline.training.drop_path import split_drop_path
from pipeline.training.energy import EnergyMeter
from pipeline.training.history import LossReader, write_history
from pipeline.training.interruption import StopRequest
from pipeline.training.loader import load_batches
from pipeline.training.loop import Learner, make_memories, run_steps, start_memories
from pipeline.training.occlusion import Occluder, make_occluder
from pipeline.training.optimizer import make_average, make_optimizer
from pipeline.training.record import peak_gpu_memory_mib, peak_memory_mib, run_facts
from pipeline.training.sampling import PKBatchSampler
from pipeline.training.views import TwoViews


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@on_ranks
def train(
    shards: Path,
    weights: Path,
    history: Path,
    record: Path,
    checkpoint: Path,
    options: RunOptions,
    compute: ComputeOptions,
    dataset: str,
    variant: str,
    seed: int,
    bank: Path | None = None,
    ground_truth: Path | None = None,
    needs: TrainingNeeds | None = None,
    server: Destination | None = None,
) -> dict[str, Any]:
    """Train DPEFormer (arXiv 2402.10435) or one of its variants on the split `train` of `shards`.

    Writes the weights (safetensors, with the classifiers; see `describe`), the history (one row per
    epoch) and the record (JSON). The weights are those after the last epoch, or their running
    average with `training.ema`. Saves `checkpoint` every `compute.checkpoint_steps` and keeps the
    last one; an interrupted run resumes from it and ends with the weights of an uninterrupted one.
    SIGTERM and Ctrl-C finish the step, save and exit with status 128 + signal number. With
    `compute.gpus` several processes share each batch, and the first one writes. Reads `bank`
    only if augment.occlusion is roa. With the `ground_truth` of a rendered benchmark, the history
    has the ROC AUC of DPSM's scores after each epoch (token_auc). `needs` are those of all compared
    variants: the first training fails where a later one would. `server` shows the history while it
    grows.
    Returns device, precision, whether all kernels were deterministic, and the device-hours.
    Raises InputError for damaged shards or a damaged bank, for fewer identities than a batch
    needs, for a non-finite loss or weight, and if a loader worker dies or runs out of memory.
    """
    started, clock = _now(), time.perf_counter()
    environment = current_environment()  # now: the code may change while it trains
    if needs:
        check_trainable(shards, needs)
    check_split(options.training, compute.gpus, "")
    device = choose_device(compute)
    make_deterministic(device)
    bank = bank if options.augment.occlusion == "roa" else None
    ground_truth = ground_truth if options.model.selection == "dpsm" else None
    with (
        joined_ranks(compute, device) as ranks,
        StopRequest(repeated=ranks.count > 1) as stop,
        explain_worker_errors(compute.workers),
        nondeterminism_warnings() as warned,
    ):
        images = TrainingImages(ShardReader(shards, "train"), options.image)
        views = TwoViews(images, options.augment, _make_occluder(options, bank, images), seed)
        learner = _make_learner(images, options, seed, compute, device, ranks)
        facts = run_facts(shards, bank, options, seed, ground_truth)
        facts |= {"device": device.type, "precision": learner.model.precision}
        facts |= {"chunk": compute.chunk, "compile": compute.compile}
        checkpointer = Checkpointer(checkpoint, fingerprint(facts), _checkpoint_parts(learner))
        with ranks.first_before_others():
            progress = checkpointer.restore(device)
        if progress is None:
            progress = Progress(started)
            start_memories(learner, images)
        clock -= progress.seconds
        if environment not in progress.environments:
            progress.environments.append(environment)
        sampler = PKBatchSampler(
            images.labels, options.training, seed, progress.step, images.datasets
        )
        batches = load_batches(views, sampler, compute.workers, device.type == "cuda", ranks)
        measured = ground_truth if ranks.first else None
        quality = TokenQuality(images, measured, options) if measured else None
        reader = LossReader(progress, options.training)
        energy = EnergyMeter(range(compute.gpus if device.type == "cuda" else 0), progress.joules)
        shown = Training(variant, seed, progress.started, history)
        with (
            live_tracking(server if ranks.first else None, shown),
            closing(run_steps(learner, batches, sampler, seed, reader)) as steps,
        ):
            for epoch_ended in steps:
                if epoch_ended and ranks.first:
                    token_auc = quality.measure(learner.model) if quality else ""
                    progress.history[-1]["token_auc"] = token_auc
                    write_history(history, progress.history)
                progress.seconds = time.perf_counter() - clock
                progress.deterministic &= not warned
                stopping = ranks.agree(stop.signal or 0)
                if stopping or progress.step % compute.checkpoint_steps == 0:
                    energy.update()
                    reader.read()
                    with ranks.first_before_others():
                        if ranks.first:
                            checkpointer.save(progress)
                if stopping:
                    steps.close()  # ends the progress bar: the message is the last line
                    _exit_on_signal(signal.Signals(stopping), checkpoint, progress.step)
        if not ranks.first:
            return {}
        energy.update()
        checkpointer.finish(progress)
        write_history(history, progress.history)  # Snakemake deletes the outputs of a failed job
        save_weights(learner.result, weights, describe(options, images.camera_numbers))
        facts["hashes"] |= {"weights": sha256(weights), "history": sha256(history)}
        facts |= {"dataset": dataset, "variant": variant, "cameras": images.camera_numbers}
        facts |= {"identities": images.identities, "train_images": len(images)}
        if parts := read_parts(shards):
            facts |= {"parts": parts}
        facts |= {"compute": compute.model_dump(mode="json")}
        facts |= _execution_facts(progress, environment)
        write_json(record, facts)
    print(f"{weights}: {variant}, seed {seed}, {progress.step} steps in {progress.seconds:.1f} s")
    summary = {name: facts[name] for name in ("device", "precision", "deterministic")}
    return summary | {"hours": round(compute.gpus * progress.seconds / 3600, 4)}


def _exit_on_signal(number: signal.Signals, checkpoint: Path, step: int) -> NoReturn:
    """Exit with the status of a process that this signal ended: Snakemake drops its outputs."""
    print(
        f"{checkpoint}: stopped by {number.name} after step {step}; the same command resumes",
        file=sys.stderr,
    )
    sys.exit(128 + number)


def _execution_facts(progress: Progress, environment: dict[str, Any]) -> dict[str, Any]:
    """Describe when, where and how a finished run ran; `environment` is the one at its end."""
    return {
        **environment,
        "earlier_environments": [other for other in progress.environments if other != environment],
        "started": progress.started,
        "finished": _now(),
        "seconds": round(progress.seconds, 3),
        "resumed": progress.resumed,
        "deterministic": progress.deterministic,
        "peak_memory_mib": peak_memory_mib(),
        "peak_gpu_memory_mib": peak_gpu_memory_mib(),
        "energy_joules": progress.joules,
    }


def _make_learner(
    images: TrainingImages,
    options: RunOptions,
    seed: int,
    compute: ComputeOptions,
    device: torch.device,
    ranks: Ranks,
) -> Learner:
    """Build the untrained model, with empty memory banks; its random weights follow from `seed`."""
    torch.manual_seed(seed)
    model = build_model(
        options,
        images.identities,
        pretrained=True,
        precision=choose_precision(compute, device),
        cameras=images.camera_numbers,
        device=device,
    )
    model.chunk = compute.chunk
    if ranks.count > 1:
        model.gather = ranks.gather
        split_drop_path(model.backbone, ranks, views=1 if compute.chunk else 2)
    memories = make_memories(model, images.identities, options.loss, device)
    optimizer = make_optimizer(model, options.training)
    average = make_average(model, options.training)
    return Learner(
        model, memories, optimizer, options, device, average, ranks, compiled=compute.compile
    )


def _checkpoint_parts(learner: Learner) -> dict[str, Any]:
    """Return everything that changes in training, by name."""
    parts = {"model": learner.model, "optimizer": learner.optimizer}
    parts |= {f"memory of {name}": memory for name, memory in learner.memories.items()}
    return parts if learner.average is None else parts | {"average": learner.average}


def _make_occluder(
    options: RunOptions, bank: Path | None, images: TrainingImages
) -> Occluder | None:
    cut_outs = [] if bank is None else load_bank(bank)
    return make_occluder(options.augment, options.image, cut_outs, images)
