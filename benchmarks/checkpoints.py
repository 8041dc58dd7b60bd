"""What checkpoints, hashes and records cost in a training run of the embedded benchmark.

    snakemake --cores all results/synthetic/shards results/occluders/bank
    python -m benchmarks.checkpoints                # variant dpeformer of config.yaml, one run

Within one run, the seconds that checkpoints, hashes and records take are measured and divided by
all of its seconds: whatever else the machine does slows both. It trains into a folder that it
deletes.
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

from pipeline.config import load_config
from pipeline.data import shards
from pipeline.files import read_json
from pipeline.model import weights
from pipeline.provenance import record as provenance
from pipeline.training import train as stage
from pipeline.training.checkpoint import Checkpointer

LIMIT = 3.0
"""Percent of the training time."""
MEASURED = {
    "checkpoints, saved and hashed": (Checkpointer, "save"),
    "checkpoints, looked for": (Checkpointer, "restore"),
    "hashes of shards and bank": (shards, "verify"),
    "hash of the pretrained weights": (weights, "sha256"),
    "hashes of code and inputs": (stage, "run_facts"),
    "hash of the weights": (stage, "sha256"),
    "provenance: hashes of all that is read or made": (provenance, "contents"),
    "provenance: versions, commit": (provenance, "current_environment"),
    "provenance: records written": (provenance, "write_json"),
}


@contextmanager
def stopwatch(measured: dict[str, tuple[Any, str]]) -> Iterator[dict[str, list[float]]]:
    """While it is open, notes the seconds of each call of the functions (owner, name)."""
    taken: dict[str, list[float]] = {label: [] for label in measured}

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
            function = timed(getattr(owner, name), taken[label])
            stack.enter_context(patch.object(owner, name, function))
        yield taken


def measure(given: argparse.Namespace, folder: Path) -> tuple[dict[str, list[float]], float]:
    """Train once into `folder`; the seconds of each measured call, and those of all."""
    config = load_config(yaml.safe_load(given.config.read_text(encoding="utf-8")))
    with stopwatch(MEASURED) as taken:
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
        return taken, time.perf_counter() - started


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.checkpoints", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--config", type=Path, default=Path("config.yaml"))
    parser.add_argument("--variant", default="dpeformer")
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="where shards and bank lie"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print; the last line has the share of both in the whole."""
    given = parse(arguments)
    # beside the results, so that checkpoints go to the disk that they go to in earnest
    with tempfile.TemporaryDirectory(dir=given.results) as folder:
        taken, whole = measure(given, Path(folder))
        record = read_json(Path(folder) / "run.json")
    for label, seconds in taken.items():
        print(f"{label:<44} {len(seconds):4} x {sum(seconds):9.3f} s")
    cost = sum(map(sum, taken.values()))
    print(f"{'the whole run':<44} {'':6} {whole:9.3f} s")
    print(f"weights {record['hashes']['weights']}, {record['precision']}, {record['device']}")
    share = 100 * cost / whole
    print(
        f"checkpoints, hashes and records / the whole run: {share:.2f} % (aim: at most {LIMIT} %)"
    )


if __name__ == "__main__":
    main()
