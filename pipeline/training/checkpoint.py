"""The resumable state of a run: whole or absent, and taken up only by the very same run."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import pickle
from pathlib import Path
from typing import Any

import torch

from pipeline.files import atomic_file

History = list[dict[str, int | float | str]]
_log = logging.getLogger(__name__)


def fingerprint(values: dict[str, Any]) -> str:
    """SHA-256 of what decides a run's result (JSON values): a state of another run does not fit."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


class Checkpoint:
    """Saves and restores the parts of a training (modules, optimiser) and its history by epochs.

    Random generators need no saving: what an epoch draws is a function of (seed, epoch).
    """

    def __init__(self, path: Path, run: str, parts: dict[str, Any]) -> None:
        """For the run with this fingerprint; `parts` have a state_dict each."""
        self._path = path
        self._run = run
        self._parts = parts

    def save(self, history: History) -> None:
        """Write the state after as many epochs as `history` has rows."""
        parts = {name: part.state_dict() for name, part in self._parts.items()}
        buffer = io.BytesIO()
        torch.save({"run": self._run, "history": history, **parts}, buffer)
        with atomic_file(self._path) as partial:
            # torch's own writer hides a full disk behind an error of its format
            partial.write_bytes(buffer.getbuffer())

    def restore(self, device: torch.device) -> History:
        """Load the state, where it is this run's, and return its history; else an empty one."""
        if not self._path.is_file():
            return []
        try:
            state = torch.load(self._path, map_location=device, weights_only=True)
            fits = state["run"] == self._run
        except (RuntimeError, EOFError, pickle.UnpicklingError, KeyError, TypeError):
            _log.warning("%s: cannot be read as a state: training starts anew", self._path)
            return []
        if not fits:
            _log.warning(
                "%s: is of a run with other options, seed, data or code: training starts anew",
                self._path,
            )
            return []
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        _log.warning("%s: resuming after epoch %d", self._path, len(state["history"]))
        return state["history"]

    def remove(self) -> None:
        """Delete the state of a run that is complete."""
        self._path.unlink(missing_ok=True)
