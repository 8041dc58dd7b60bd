"""Which device and which precision a run uses."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from pipeline.errors import InputError
from pipeline.options.compute import ComputeOptions


def choose_device(compute: ComputeOptions) -> torch.device:
    """The device that is asked for; `auto` takes the GPU where there is one.

    Raises InputError when a GPU is asked for and torch sees none.
    """
    available = torch.cuda.is_available()
    if compute.device == "cuda" and not available:
        raise InputError(
            "config: compute.device: found cuda, but torch sees no CUDA device here: "
            "give cpu or auto, or check the driver"
        )
    if compute.device == "auto":
        return torch.device("cuda" if available else "cpu")
    return torch.device(compute.device)


def choose_precision(compute: ComputeOptions, device: torch.device) -> str:
    """`float32` or `bfloat16`; `auto` takes bfloat16 where the device multiplies it in hardware."""
    if compute.precision != "auto":
        return compute.precision
    fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else _cpu_has_bfloat16()
    return "bfloat16" if fast else "float32"


def _cpu_has_bfloat16() -> bool:
    """Intel's matrix units, or the dot products of AVX-512 (AMD too)."""
    if not hasattr(torch.cpu, "get_capabilities"):
        return False
    found = torch.cpu.get_capabilities()
    return bool(found.get("amx_bf16") or found.get("avx512_bf16"))


def make_deterministic(device: torch.device) -> None:
    """Ask for repeatable kernels; those that have no such version warn on a GPU.

    Must come before the first CUDA kernel. Denormals are flushed on the CPU, where they are slow,
    and torch has one thread there: the order of its sums follows their number.
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)


@contextmanager
def unrepeatable() -> Iterator[list[str]]:
    """Collects what torch says of kernels without a deterministic version; it is shown as ever."""
    found: list[str] = []
    with warnings.catch_warnings():
        show = warnings.showwarning

        def note(message: Warning | str, *place: Any, **named: Any) -> None:
            if "deterministic" in str(message):
                found.append(str(message))
            show(message, *place, **named)

        warnings.showwarning = note
        yield found
