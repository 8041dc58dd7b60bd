"""Weights as safetensors files."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save
from torch import nn

from pipeline.files import atomic_file


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the state dict of `model`, whole or not at all.

    A full disk is an OSError that names the file; safetensors' own writer would hide it.
    """
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    with atomic_file(path) as partial:
        partial.write_bytes(save(tensors))
