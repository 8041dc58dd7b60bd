"""The cost of checkpoints, hashes and records in a training run of the embedded benchmark.

    snakemake --cores all results/synthetic/shards results/occluders/bank
    python -m benchmarks.checkpoints                # variant dpeformer of config.yaml, one run

It measures the time of checkpoints, hashes and records within one run and divides it by the time
of the run: other load on the machine slows both. The folder of the run is deleted.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from pipeline.data import shards
from pipeline.files import read_json
from pipeline.load_config import load_config
from pipeline.model import weights
from pipeline.provenance import record as provenance
from pipeline.training import train as stage
from pipeline.training.checkpoint import Checkpointer

LIMIT = 3.0
"""In percent of the training time."""
MEASURED = {
    "checkpoints, saved and hashed": (Checkpointer, "save"),
    "checkpoints, restored": (Checkpointer, "restore"),
    "hashes of shards and bank": (shards, "verify"),
    "hash of the pretrained weights": (weights, "sha256"),
    "hashes of code and inputs": (stage, "run_facts"),
    "hash of the weights": (stage, "sha256"),
    "provenance: hashes of inputs and outputs": (provenance, "contents"),
    "provenance: versions, commit": (provenance, "current_environment"),
    "provenance: records written": (provenance, "write_json"),
}


@contextmanager
def stopwatch(measured: dict[str, tuple[Any, str]]) -> Iterator[dict[str, list[float]]]:
    """Record the seconds of each call of the functions (owner, name) while open."""
    times: dict[str, list[float]] = {label: [] for label in measured}

    def timed(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                seconds.append(time.perf_counter() - started)

        return call

    with ExitStack() as stack:
        for label, (owner, name) in measured.items():
            function = timed(getattr(owner, name), times[label])
            stack.enter_context(patch.object(owner, name, function))
        yield times


def measure(given: argparse.Namespace, folder: Path) -> tuple[dict[str, list[float]], float]:
    """Train once into `folder`; return the seconds of each measured call, and of the run."""
    config = load_config(yaml.safe_load(given.config.read_text(encoding="utf-8")))
    with stopwatch(MEASURED) as times:
        started = time.perf_counter()
        inputs = {
            "shards": given.results / "synthetic/shards",
            "bank": given.results / "occluders/bank",
        }
        outputs = {
            "weights": folder / "weights.safetensors",
            "history": folder / "history.csv",
            "record": folder / "run.json",
        }
        rest = {
            "checkpoint": folder / "checkpoint.pt",
            "options": config.run_options(given.variant),
            "compute": config.compute,
            "dataset": "synthetic",
            "variant": given.variant,
            "seed": 0,
        }
        arguments = inputs | outputs | rest
        with provenance.recorded(stage.train, arguments, [*inputs.values()], [*outputs.values()]):
            stage.train(**arguments)
        return times, time.perf_counter() - started


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.checkpoints", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--config", type=Path, default=Path("config.yaml"))
    parser.add_argument("--variant", default="dpeformer")
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="folder of shards and bank"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print; the last line has their percentage of the whole run."""
    given = parse(arguments)
    # beside the results, so that checkpoints go to the same disk
    with tempfile.TemporaryDirectory(dir=given.results) as folder:
        times, total = measure(given, Path(folder))
        record = read_json(Path(folder) / "run.json")
    for label, seconds in times.items():
        print(f"{label:<44} {len(seconds):4} x {sum(seconds):9.3f} s")
    cost = sum(map(sum, times.values()))
    print(f"{'whole run':<44} {'':6} {total:9.3f} s")
    print(f"weights {record['hashes']['weights']}, {record['precision']}, {record['device']}")
    percent = 100 * cost / total
    print(f"checkpoints, hashes and records / whole run: {percent:.2f} % (aim: at most {LIMIT} %)")


if __name__ == "__main__":
    main()
