"""The resumable state of a run: whole or absent, checked when read, taken up only by that run."""

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
    """How far a run has come, and what was noted on the way: plain values, a part of the state."""

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
    """How often it went on from a state."""
    environments: list[dict[str, Any]] = field(default_factory=list)
    """Those of its pieces, each once."""
    deterministic: bool = True
    """No kernel has said that it is not repeatable."""


class Checkpoint:
    """Saves and restores the parts of a training (modules, optimiser) and its progress.

    Random generators need no saving: what a step draws is a function of (seed, epoch, step).
    A state is its SHA-256 and torch's file. The last but one is kept beside it, as `*.previous.pt`.
    """

    def __init__(self, path: Path, run: str, parts: dict[str, Any]) -> None:
        """For the run with this fingerprint; `parts` have a state_dict each."""
        self._path = path
        self._previous = path.with_name(f"{path.stem}.previous{path.suffix}")
        self._run = run
        self._parts = parts

    def save(self, progress: Progress) -> None:
        """Write the state; the one before it stays until this one is whole and on the disk."""
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
        """Load the newest state that is whole and this run's; None where there is none."""
        for left in self._path.parent.glob(".partial-*"):
            left.unlink()  # a killed process was writing it: a run has its folder to itself
        paths = [path for path in (self._path, self._previous) if path.is_file()]
        for path in paths:
            state = self._read(path, device)
            if state is None:
                continue
            for name, part in self._parts.items():
                part.load_state_dict(state[name])
            if path != self._path:
                # else the next save would put what was passed over in its place
                os.replace(path, self._path)
            progress = Progress(**state["progress"])
            progress.resumed += 1
            _log.warning("%s: resuming after step %d", path, progress.step)
            return progress
        if paths:
            _log.warning("%s: training starts anew", self._path)
        return None

    def _read(self, path: Path, device: torch.device) -> dict[str, Any] | None:
        """The state in a file; None, with a warning, where it is damaged or another run's."""
        try:
            state = read_state(path, device)
        except (ValueError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            _log.warning("%s: cannot be read as a state, it is passed over: %s", path, error)
            return None
        if state.get("run") == self._run:
            return state
        _log.warning(
            "%s: is of a run with other options, seed, data, code or precision, it is passed over",
            path,
        )
        return None

    def finish(self, progress: Progress) -> None:
        """Keep the last state alone: a run that is killed at its very end goes on from there."""
        self.save(progress)
        self._previous.unlink(missing_ok=True)


def read_state(path: Path, device: torch.device) -> dict[str, Any]:
    """The state in a file, its tensors on `device`; ValueError for bytes that have changed."""
    with open(path, "rb") as file:
        expected = file.read(_DIGEST)
        found = hashlib.file_digest(file, "sha256").digest()
        if found != expected:
            raise ValueError(f"expected SHA-256 {expected.hex()}, found {found.hex()}")
        file.seek(_DIGEST)
        return torch.load(file, map_location=device, weights_only=True)
