"""The facts that determine a run: options, seed, code and the hashes of its inputs."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path
from typing import Any

import torch

from pipeline.data.shards import HASHES
from pipeline.files import sha256, shipped
from pipeline.options.run import RunOptions
from pipeline.provenance.code import code_hash
from pipeline.provenance.environment import warn_of_drift


def run_facts(
    shards: Path,
    bank: Path | None,
    options: RunOptions,
    seed: int,
    ground_truth: Path | None = None,
) -> dict[str, Any]:
    """Collect all that determines a run's result: options, seed, code and hashes of the inputs.

    The hash of an input that is not used (bank, pretrained weights, `ground_truth`) is None. The
    `ground_truth` affects only the history's token_auc, not the weights. Warns if the installed
    packages differ from the pinned ones.
    """
    warn_of_drift()
    pretrained = options.backbone.weights
    return {
        "options": options.model_dump(mode="json"),
        "seed": seed,
        "code": code_hash("pipeline.training.train"),
        "hashes": {
            "shards": sha256(shards / HASHES),
            "bank": sha256(bank / HASHES) if bank else None,
            "pretrained": sha256(Path(shipped(pretrained))) if pretrained else None,
            "ground_truth": sha256(ground_truth) if ground_truth else None,
        },
    }


def peak_memory_mib() -> float:
    """Return the peak resident memory of this process, in MiB."""
    try:  # getrusage also counts the process that started this one
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:  # not Linux
        found = None
    if found:
        return round(int(found[1]) / 1024, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return round(peak * unit / 2**20, 1)


def peak_gpu_memory_mib() -> float | None:
    """Return the peak memory of tensors on this process's GPU, in MiB; None without one."""
    if not torch.cuda.is_initialized():
        return None
    return round(torch.cuda.max_memory_allocated() / 2**20, 1)
