"""Settings of glibc's malloc, which a process reads when it starts."""

from __future__ import annotations

import os

_SETTINGS = {
    "MALLOC_MMAP_THRESHOLD_": 32 << 20,  # older versions take no more
    "MALLOC_TRIM_THRESHOLD_": 512 << 20,
}
"""Bytes."""


def keep_freed_memory() -> None:
    """Let processes that start later use a freed tensor's memory for the next one.

    Otherwise they ask the kernel for new pages at each training step. Settings that the environment
    has already are kept.
    """
    for name, size in _SETTINGS.items():
        os.environ.setdefault(name, str(size))
