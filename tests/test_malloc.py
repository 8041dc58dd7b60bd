"""Processes with the settings of jobs use freed memory again."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from pipeline.malloc import keep_freed_memory

USE = """
import resource
for _ in range(10):
    blocks = [b"x" * (16 << 20) for _ in range(6)]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Replace the environment by a copy without settings of malloc."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    monkeypatch.setattr(os, "environ", plain)
    return plain


def page_faults(environment: dict[str, str]) -> int:
    words = [sys.executable, "-c", USE]
    return int(subprocess.run(words, env=environment, stdout=subprocess.PIPE, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the settings")
def test_freed_memory_is_used_again(environment: dict[str, str]) -> None:
    without = page_faults(environment)
    keep_freed_memory()
    assert page_faults(environment) < without / 3


def test_the_users_settings_are_kept(environment: dict[str, str]) -> None:
    environment["MALLOC_TRIM_THRESHOLD_"] = "7"
    keep_freed_memory()
    assert environment["MALLOC_TRIM_THRESHOLD_"] == "7"
