"""SIGTERM and Ctrl-C save a training and end it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.options.run import RunOptions
from pipeline.training.interruption import StopRequest
from tests.cases import long_but
from tests.training.runs import (
    STEPS,
    Runner,
    command,
    compute_with,
    result,
    running_process,
    step_of,
    wait_for,
)

pytestmark = pytest.mark.no_cover  # slower by half; other tests reach these lines


@pytest.mark.parametrize("number", long_but([signal.SIGINT, signal.SIGTERM], signal.SIGINT))
def test_signal_to_all_processes_saves_and_stops(
    run: Runner,
    shards: Path,
    bank: Path,
    long_options: RunOptions,
    uninterrupted: Path,
    tmp_path: Path,
    warm: Path,
    number: signal.Signals,
) -> None:
    """Ctrl-C in a terminal reaches the stage and its loader processes."""
    folder = tmp_path / "stopped"
    words = command(folder, shards, bank, long_options, compute_with(workers=2, checkpoint_steps=3))
    words[0] = str(warm / "python")
    with running_process(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        wait_for(folder / "checkpoint.pt", child)
        os.killpg(child.pid, number)
        output, _ = child.communicate(timeout=60)
    assert child.returncode == 128 + number, output
    assert "Traceback" not in output
    done = step_of(folder / "checkpoint.pt")
    assert 3 <= done < STEPS
    last = output.strip().splitlines()[-1]
    assert f"stopped by {number.name} after step {done}; the same command resumes" in last
    assert not (folder / "weights.safetensors").exists()
    run("stopped", options=long_options)
    assert result(folder) == result(uninterrupted)


def test_second_signal_ends_the_process_at_once() -> None:
    script = """
import time
from pipeline.training.interruption import StopRequest

with StopRequest() as stop:
    print("open", flush=True)
    while not stop.signal:
        time.sleep(0.01)
    print(stop.signal.name, flush=True)
    time.sleep(60)
"""
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n"
    child.send_signal(signal.SIGTERM)
    assert child.stdout.readline() == "SIGTERM\n"
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=10)
    assert (child.returncode, errors) == (-signal.SIGINT, "")


def test_signal_handlers_are_restored() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with StopRequest():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
