"""Write and read files of weights, and check them against a network."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.files import atomic_file, sha256

State = dict[str, Tensor]
DESCRIPTION = "dpeformer"
"""Key of safetensors' metadata with the description of a trained network (JSON)."""
CONTAINERS = ("teacher", "state_dict", "model")
"""Keys under which a checkpoint may have its weights; the first one present is used."""


def save_weights(model: nn.Module, path: Path, description: str | None = None) -> None:
    """Write the state dict of `model` atomically, with a `description` for `read_described`.

    A full disk raises an OSError that names the file, which safetensors' own writer hides.
    """
    # one key: safetensors writes several in random order
    metadata = None if description is None else {DESCRIPTION: description}
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    with atomic_file(path) as partial:
        partial.write_bytes(save(tensors, metadata))


def read_described(path: Path) -> tuple[State, str]:
    """Read the weights and the description that `save_weights` wrote, onto the CPU.

    Raises InputError for a file that is unreadable or has no description.
    """
    try:
        with open(path, "rb"), safe_open(path, framework="pt") as file:
            description = (file.metadata() or {}).get(DESCRIPTION)
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(
            f"{path}: cannot be read as safetensors ({error}): copy it again, or train again"
        ) from None
    if description is None:
        raise InputError(
            f"{path}: expected weights with the metadata {DESCRIPTION!r}, found none: give weights "
            "that this version of the workflow trained"
        )
    return state, description


def read_weights(path: Path, anchor: str) -> State:
    """Read a state dict onto the CPU; print the prefix that it removes from the names.

    `anchor` is a parameter's name in the network. Its prefix in the file, such as `module.base.`,
    is removed from all names; names without this prefix are ignored.
    Raises InputError for a file that is unreadable or has no weights.
    """
    names: list[str] = []
    found = _read(path)
    while container := next((name for name in CONTAINERS if _is_container(found, name)), None):
        names.append(container)
        found = found[container]
    state = {name: value for name, value in found.items() if isinstance(value, Tensor)}
    if not state:
        keys = ", ".join(map(str, found)) or "nothing"
        raise InputError(
            f"{path}: expected a state dict of weights, found {keys}: give a file of weights"
        )
    if names:
        print(f"{path}: weights are read from {'.'.join(names)}")
    return _without_prefix(state, anchor, path)


def check_hash(path: Path, expected: str | None, key: str) -> None:
    """Raise InputError unless the file has the SHA-256 that `key` of the configuration gives."""
    if expected is not None and (found := sha256(path)) != expected:
        raise InputError(
            f"{path}: expected SHA-256 {expected} ({key}), found {found}: get the file again, or "
            "correct the option if the new file is meant"
        )


def fill(network: nn.Module, state: State, message: str) -> None:
    """Load all of `state` into `network`, or nothing.

    Raises InputError: `message`, then every parameter that does not fit.
    """
    if unmatched := _find_mismatches(network.state_dict(), state):
        raise InputError(f"{message}: {'; '.join(unmatched)}: give weights of this network")
    network.load_state_dict(state)


def _find_mismatches(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """List the parameters of `own` and `given` that do not match, sorted by name."""
    problems = []
    for name in sorted(own.keys() | given.keys()):
        if name not in given:
            problems.append(f"{name} is missing")
        elif name not in own:
            problems.append(f"{name} is unexpected")
        elif own[name].shape != given[name].shape:
            problems.append(
                f"{name} has shape {tuple(given[name].shape)}, expected {tuple(own[name].shape)}"
            )
    return problems


def _read(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file:  # errors such as a missing permission name the file
        try:
            if path.suffix == ".safetensors":
                return load_file(path)
            # checkpoints of DINO and MAE hold their command line
            with torch.serialization.safe_globals([argparse.Namespace]):
                found = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file may raise anything
            reason = str(error).split("\n")[0].rstrip(".") or type(error).__name__
            raise InputError(
                f"{path}: cannot be read as weights ({reason}): get it again, or give a "
                "safetensors file or a state dict saved by torch"
            ) from None
    if not isinstance(found, dict):
        raise InputError(
            f"{path}: expected a state dict of weights, found a {type(found).__name__}: "
            "give a file of weights"
        )
    return found


def _is_container(found: Mapping[str, Any], name: str) -> bool:
    return isinstance(found.get(name), dict)


def _without_prefix(state: State, anchor: str, path: Path) -> State:
    anchors = [name for name in state if name.endswith(f".{anchor}")]
    if anchor in state or len(anchors) != 1:
        return state
    prefix = anchors[0].removesuffix(anchor)
    kept = {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
    ignored = len(state) - len(kept)
    print(f"{path}: removed the prefix {prefix} from names, ignored {ignored} names without it")
    return kept
