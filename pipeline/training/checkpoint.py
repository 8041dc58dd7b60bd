"""Resumable checkpoints of a run: whole or absent, and checked when read."""

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
    """How far a run has come: plain values, a part of the checkpoint."""

    started: str
    """When it was started first, ISO 8601."""
    step: int = 0
    """Steps done, over all epochs."""
    history: History = field(default_factory=list)
    """A row for each epoch that is over."""
    losses: dict[str, float] = field(default_factory=dict)
    """By name, sums over the steps of the epoch under way."""
    kept: list[int] = field(default_factory=list)
    """How many tokens DPSM kept in each clean view of that epoch."""
    epoch_seconds: float = 0.0
    """That its steps took."""
    seconds: float = 0.0
    """Of the whole run, without what a kill has undone."""
    resumed: int = 0
    """How often it was resumed."""
    environments: list[dict[str, Any]] = field(default_factory=list)
    """Those of its pieces, each once."""
    deterministic: bool = True
    """No kernel has said that it is not repeatable."""


class Checkpoint:
    """Saves and restores the parts of a training (modules, optimiser) and its progress.

    Random generators need no saving: what a step draws is a function of (seed, epoch, step).
    A file is its SHA-256, then torch's bytes. The last but one is kept beside it, as
    `*.previous.pt`.
    """

    def __init__(self, path: Path, run: str, parts: dict[str, Any]) -> None:
        """For the run with this fingerprint; `parts` have a state_dict each."""
        self._path = path
        self._previous = path.with_name(f"{path.stem}.previous{path.suffix}")
        self._run = run
        self._parts = parts

    def save(self, progress: Progress) -> None:
        """Write a checkpoint; the one before it stays until this one is on the disk."""
        parts = {name: part.state_dict() for name, part in self._parts.items()}
        buffer = io.BytesIO()
        torch.save({"run": self._run, "progress": asdict(progress), **parts}, buffer)
        content = buffer.getbuffer()
        with atomic_file(self._path) as partial:
            # torch's own writer hides a full disk behind an error of its format
            with open(partial, "wb") as file:
                file.write(hashlib.sha256(content).digest())
                file.write(content)
            if self._path.is_file():
                os.replace(self._path, self._previous)

    def restore(self, device: torch.device) -> Progress | None:
        """Load the newest checkpoint that is whole and this run's; None where there is none."""
        for left in self._path.parent.glob(".partial-*"):
            left.unlink()  # a killed process was writing it: a run has its folder to itself
        paths = [path for path in (self._path, self._previous) if path.is_file()]
        for path in paths:
            checkpoint = self._read(path, device)
            if checkpoint is None:
                continue
            for name, part in self._parts.items():
                part.load_state_dict(checkpoint[name])
            if path != self._path:
                # else the next save would keep the ignored file as the previous one
                os.replace(path, self._path)
            progress = Progress(**checkpoint["progress"])
            progress.resumed += 1
            _log.warning("%s: resuming after step %d", path, progress.step)
            return progress
        if paths:
            _log.warning("%s: training starts anew", self._path)
        return None

    def _read(self, path: Path, device: torch.device) -> dict[str, Any] | None:
        """The checkpoint in a file; None, with a warning, where it is damaged or another run's."""
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
        """Save, and keep this checkpoint alone."""
        self.save(progress)
        self._previous.unlink(missing_ok=True)


def read_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """The checkpoint in a file, its tensors on `device`; ValueError for bytes that have changed."""
    with open(path, "rb") as file:
        expected = file.read(_DIGEST)
        found = hashlib.file_digest(file, "sha256").digest()
        if found != expected:
            raise ValueError(f"expected SHA-256 {expected.hex()}, found {found.hex()}")
        file.seek(_DIGEST)
        return torch.load(file, map_location=device, weights_only=True)
