"""Helpers that run the training stage, in this process or its own, and read its results."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.files import sha256
from pipeline.options.compute import ComputeOptions
from pipeline.options.run import RunOptions, TrainingNeeds
from pipeline.options.tracking import Destination
from pipeline.training.checkpoint import read_checkpoint
from pipeline.training.train import train

CPU = ComputeOptions(device="cpu", precision="float32", checkpoint_steps=2)
EPOCHS = 16  # enough to interrupt a run between them
STEPS = 2 * EPOCHS
OUTPUTS = ["history.csv", "run.json", "weights.safetensors"]
FINISHED_FILES = sorted([*OUTPUTS, "checkpoint.pt"])
"""Files in the folder of a finished run."""
TIMES = ("seconds", "images_per_second")
Runner = Callable[..., Path]


def with_options(options: RunOptions, section: str, **values: Any) -> RunOptions:
    changed = getattr(options, section).model_copy(update=values)
    return options.model_copy(update={section: changed})


def compute_with(**values: Any) -> ComputeOptions:
    return CPU.model_copy(update=values)


def files(folder: Path) -> dict[str, Path]:
    """Files that the stage writes into the folder of a run, by parameter."""
    names = dict(zip(("history", "record", "weights"), OUTPUTS, strict=True))
    return {name: folder / file for name, file in (names | {"checkpoint": "checkpoint.pt"}).items()}


def train_run(
    folder: Path,
    shards: Path,
    bank: Path | None,
    options: RunOptions,
    compute: ComputeOptions = CPU,
    seed: int = 0,
    needs: TrainingNeeds | None = None,
    server: Destination | None = None,
) -> Path:
    """Train into `folder` and return it."""
    inputs = {"shards": shards, "bank": bank, "options": options, "compute": compute}
    inputs |= {"needs": needs, "server": server}
    train(**files(folder), **inputs, dataset="toy", variant="tiny", seed=seed)
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def result(folder: Path) -> tuple[str, list[dict[str, str]]]:
    """All that is equal in two equal runs: the hash of the weights, and the history but times."""
    curves = [{name: row[name] for name in row if name not in TIMES} for row in rows(folder)]
    return weights(folder), curves


def weights(folder: Path) -> str:
    return sha256(folder / "weights.safetensors")


def step_of(checkpoint: Path) -> int:
    return read_checkpoint(checkpoint, torch.device("cpu"))["progress"]["step"]


def stopped(run: Runner, folder: Path, **given: Any) -> int:
    """Train until SIGTERM stops it, after two checkpoints; return the number of steps done."""

    def send() -> None:
        while not (folder / "checkpoint.previous.pt").is_file():
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGTERM)

    sender = threading.Thread(target=send)
    sender.start()
    with pytest.raises(SystemExit) as exit_:
        run(folder.name, **given)
    sender.join()
    assert exit_.value.code == 128 + signal.SIGTERM
    return step_of(folder / "checkpoint.pt")


def command(
    folder: Path, shards: Path, bank: Path, options: RunOptions, compute: ComputeOptions = CPU
) -> list[str]:
    """Return the command line of the stage in the workflow; "python" comes first."""
    arguments = files(folder) | {
        "shards": shards,
        "options": options.model_dump_json(),
        "compute": compute.model_dump_json(),
        "dataset": "toy",
        "variant": "tiny",
        "seed": 0,
        "bank": bank,
    }
    words = ["python", "-m", "pipeline.launcher", "pipeline.training.train:train"]
    for name, value in arguments.items():
        words += [f"--{name}", str(value)]
    return words


@contextmanager
def running_process(words: list[str], **settings: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a process group of its own; kill it at the end of the test."""
    settings = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | settings
    with subprocess.Popen(words, text=True, start_new_session=True, **settings) as child:
        try:
            yield child
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)


def wait_for(path: Path, child: subprocess.Popen[Any]) -> None:
    while not path.is_file():
        assert child.poll() is None, f"the child ended before there was {path.name}"
        time.sleep(0.001)
