"""DPEFormer, from raw data to tables: one module per stage of the workflow."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.use.embedder import Device, Embedder

ROOT = Path(__file__).resolve().parent.parent
"""Root folder of the repository."""


def load(path: str | Path, device: Device = "auto") -> Embedder:
    """Load a trained network to use it: see `pipeline.use.embedder.load`."""
    # by name: torch is imported here only, and no other stage's code depends on the module
    embedder: Embedder = importlib.import_module("pipeline.use.embedder").load(path, device)
    return embedder
