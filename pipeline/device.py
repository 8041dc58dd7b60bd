"""Choose the device and precision of a run, and make it deterministic."""

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
    """Return the configured device; `auto` selects the GPU if available.

    Raises InputError if the device is cuda and torch finds no GPU.
    """
    available = torch.cuda.is_available()
    if compute.device == "cuda" and not available:
        raise InputError(
            "config: compute.device: found cuda, but torch finds no CUDA device: give cpu or auto, "
            "or check the driver"
        )
    if compute.device == "auto":
        return torch.device("cuda" if available else "cpu")
    return torch.device(compute.device)


def choose_precision(compute: ComputeOptions, device: torch.device) -> str:
    """Return float32 or bfloat16; `auto` selects bfloat16 if the device supports it in hardware."""
    if compute.precision != "auto":
        return compute.precision
    fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else _cpu_has_bfloat16()
    return "bfloat16" if fast else "float32"


def _cpu_has_bfloat16() -> bool:
    """Look for Intel's AMX, or the AVX-512 dot products that AMD has too."""
    if not hasattr(torch.cpu, "get_capabilities"):
        return False
    found = torch.cpu.get_capabilities()
    return bool(found.get("amx_bf16") or found.get("avx512_bf16"))


def make_deterministic(device: torch.device) -> None:
    """Select deterministic kernels; on a GPU, kernels without a deterministic version warn.

    Call it before the first CUDA kernel. On the CPU, torch uses one thread, because the order of
    sums depends on the number of threads, and flushes denormals, which are slow.
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        # otherwise torch fills every new tensor, to show code that reads before it writes
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cuda.enable_cudnn_sdp(False)  # has no deterministic backward pass


@contextmanager
def strictly_deterministic(device: torch.device) -> Iterator[None]:
    """Fail on kernels without a deterministic version, instead of a warning; nothing on a CPU.

    Only so does attention choose the deterministic version of its backward pass.
    """
    if device.type == "cpu":
        yield
        return
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(True, warn_only=True)


@contextmanager
def nondeterminism_warnings() -> Iterator[list[str]]:
    """Collect torch's warnings about nondeterministic kernels; they are still shown."""
    found: list[str] = []
    with warnings.catch_warnings():
        show = warnings.showwarning

        def collect(message: Warning | str, *arguments: Any, **named: Any) -> None:
            if "deterministic" in str(message):
                found.append(str(message))
            show(message, *arguments, **named)

        warnings.showwarning = collect
        yield found
