"""Resumable checkpoints of a run: written atomically, verified when read."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import pickle
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from pipeline.files import atomic_file

HistoryRow = dict[str, int | float | str]
History = list[HistoryRow]
_log = logging.getLogger(__name__)
_DIGEST = hashlib.sha256().digest_size


@dataclass
class Progress:
    """Progress of a run: plain values, saved in the checkpoint."""

    started: str
    """Time of the first start, ISO 8601."""
    step: int = 0
    """Steps done, over all epochs."""
    history: History = field(default_factory=list)
    """One row per finished epoch."""
    losses: dict[str, float] = field(default_factory=dict)
    """Sums over the steps of the current epoch, by name."""
    k_values: list[int] = field(default_factory=list)
    """Number of tokens that DPSM kept in each clean view of the current epoch."""
    epoch_seconds: float = 0.0
    """Time spent in the steps of the current epoch."""
    seconds: float = 0.0
    """Time spent in the whole run, without steps that a kill has lost."""
    joules: dict[str, float] = field(default_factory=dict)
    """Energy that each device has used in that time, as far as the machine tells."""
    resumed: int = 0
    """Number of times the run was resumed."""
    environments: list[dict[str, Any]] = field(default_factory=list)
    """Distinct environments that the run was trained in."""
    deterministic: bool = True
    """Whether torch has warned of no nondeterministic kernel so far."""


class Checkpointer:
    """Save and restore the parts of a training (modules, optimiser) and its progress.

    Random generators are not saved: the randomness of a step depends on (seed, epoch, step) alone.
    A file holds the SHA-256 of torch's bytes, then these. The previous checkpoint is kept beside
    the last one, as `*.previous.pt`.
    """

    def __init__(self, path: Path, run: str, parts: dict[str, Any]) -> None:
        """Take the fingerprint `run` of the run; each of `parts` has a state_dict."""
        self._path = path
        self._previous = path.with_name(f"{path.stem}.previous{path.suffix}")
        self._run = run
        self._parts = parts

    def save(self, progress: Progress) -> None:
        """Write a checkpoint; the previous one stays until this one is on disk."""
        parts = {name: part.state_dict() for name, part in self._parts.items()}
        buffer = io.BytesIO()
        torch.save({"run": self._run, "progress": asdict(progress), **parts}, buffer)
        content = buffer.getbuffer()
        with atomic_file(self._path) as partial:
            # torch's own writer reports a full disk as an error of its format
            with open(partial, "wb") as file:
                file.write(hashlib.sha256(content).digest())
                file.write(content)
            if self._path.is_file():
                os.replace(self._path, self._previous)

    def restore(self, device: torch.device) -> Progress | None:
        """Load the newest valid checkpoint of this run; return None if there is none."""
        for partial in self._path.parent.glob(".partial-*"):
            partial.unlink()  # left by a killed process: no other run writes into this folder
        paths = [path for path in (self._path, self._previous) if path.is_file()]
        for path in paths:
            checkpoint = self._read(path, device)
            if checkpoint is None:
                continue
            for name, part in self._parts.items():
                part.load_state_dict(checkpoint[name])
            if path != self._path:
                # otherwise the next save would keep the ignored file as the previous one
                os.replace(path, self._path)
            progress = Progress(**checkpoint["progress"])
            progress.resumed += 1
            _log.warning("%s: resuming after step %d", path, progress.step)
            return progress
        if paths:
            _log.warning("%s: no valid checkpoint of this run: training starts again", self._path)
        return None

    def _read(self, path: Path, device: torch.device) -> dict[str, Any] | None:
        """Read a checkpoint; return None, with a warning, if it is damaged or of another run."""
        try:
            checkpoint = read_checkpoint(path, device)
        except (ValueError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            _log.warning("%s: ignored: not a readable checkpoint (%s)", path, error)
            return None
        if checkpoint.get("run") == self._run:
            return checkpoint
        _log.warning(
            "%s: ignored: checkpoint of another run (other options, seed, data, code or precision)",
            path,
        )
        return None

    def finish(self, progress: Progress) -> None:
        """Save the last checkpoint and delete the previous one."""
        self.save(progress)
        self._previous.unlink(missing_ok=True)


def read_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """Read a checkpoint onto `device`; ValueError if its SHA-256 does not match."""
    with open(path, "rb") as file:
        expected = file.read(_DIGEST)
        found = hashlib.file_digest(file, "sha256").digest()
        if found != expected:
            raise ValueError(f"expected SHA-256 {expected.hex()}, found {found.hex()}")
        file.seek(_DIGEST)
        return torch.load(file, map_location=device, weights_only=True)
