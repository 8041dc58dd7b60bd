"""Bad input, damaged data, dead loader processes and non-finite numbers, each a real fault."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.launcher import main
from pipeline.options.run import RunOptions, TrainingNeeds
from tests.faults import flip_byte
from tests.training.runs import (
    CPU,
    FINISHED_FILES,
    Runner,
    command,
    compute_with,
    result,
    step_of,
    with_options,
)

pytestmark = pytest.mark.no_cover  # slower by half; other tests reach these lines


def test_nonfinite_loss_stops_with_step_and_cause(
    run: Runner, options: RunOptions, tmp_path: Path
) -> None:
    diverging = with_options(options, "training", lr=1e30, warmup_epochs=0.0)
    with pytest.raises(
        InputError, match=r"epoch 1 of 3, step 2 of 2: the loss (identity|contrast)_\w+ is nan"
    ) as error:
        run("diverging", options=diverging)
    assert "lower training.lr (now 1e+30)" in str(error.value)
    assert not (tmp_path / "diverging" / "weights.safetensors").exists()


def test_nonfinite_weights_are_not_saved(run: Runner, options: RunOptions, tmp_path: Path) -> None:
    """There is one step only, so that no later loss shows it."""
    steep = {"lr": 1e38, "head_lr_factor": 1e3, "warmup_epochs": 0.0, "schedule": "step"}
    diverging = with_options(options, "training", epochs=1, identities=6, **steep)
    with pytest.raises(InputError, match=r"step 1 of 1: the weights \S+ are not finite"):
        run("diverging", options=diverging)
    assert not (tmp_path / "diverging" / "weights.safetensors").exists()


def test_bad_inputs_are_refused(run: Runner, options: RunOptions) -> None:
    with pytest.raises(InputError, match=r"found 6 identities .* at least the 7"):
        run("batch", options=with_options(options, "training", identities=7))
    later = TrainingNeeds(identities=7, camera_embedding=False, tested=False)
    with pytest.raises(InputError, match=r"found 6 identities .* at least the 7"):
        run("later", needs=later)
    with pytest.raises(InputError, match=r"augment\.occlusion.*found none"):
        run("bank", bank=None)


@pytest.mark.parametrize("which", ["shards", "bank"])
def test_damaged_shard_is_found_before_training(
    run: Runner, shards: Path, bank: Path, tmp_path: Path, which: str
) -> None:
    damaged = Path(shutil.copytree({"shards": shards, "bank": bank}[which], tmp_path / which))
    [tar] = damaged.glob("*.tar")
    flip_byte(tar)
    with pytest.raises(InputError, match=rf"{tar.name}: .*expected SHA-256"):
        run("run", **{which: damaged})
    assert not (tmp_path / "run").exists()


def kill(worker: int) -> None:
    os.kill(worker, signal.SIGKILL)


def limit_memory(worker: int) -> None:
    """Limit the address space: the next allocation of the worker fails."""
    resource.prlimit(worker, resource.RLIMIT_AS, (1, 1))


def loader_processes() -> list[int]:
    """Return the forks of this process, which share its command line."""
    here = Path(f"/proc/{os.getpid()}")
    children = (here / f"task/{os.getpid()}/children").read_text().split()
    line = (here / "cmdline").read_bytes()
    return [int(n) for n in children if Path(f"/proc/{n}/cmdline").read_bytes() == line]


@pytest.mark.skipif(sys.platform != "linux", reason="finds the loader processes in /proc")
@pytest.mark.filterwarnings(  # torch may raise once more while the loader's iterator is freed
    "ignore:Exception ignored in.*_MultiProcessingDataLoaderIter:"
    "pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (kill, "killed by signal: Killed|exited unexpectedly|Connection|end of file"),
        (limit_memory, "Cannot allocate memory"),
    ],
)
def test_dead_loader_process_is_an_error_and_the_run_resumes(
    run: Runner,
    shards: Path,
    bank: Path,
    long_options: RunOptions,
    uninterrupted: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    harm: Callable[[int], None],
    message: str,
) -> None:
    folder = tmp_path / "harmed"

    def harm_worker() -> None:
        while not (folder / "checkpoint.pt").is_file():
            time.sleep(0.001)
        harm(loader_processes()[0])

    thread = threading.Thread(target=harm_worker)
    thread.start()
    # torch may raise again while the bar closes: its error is then on the same line
    error = rf"error: config: compute\.workers: expected 2 loader processes.*({message})"
    with pytest.raises(SystemExit, match=error):
        main(command(folder, shards, bank, long_options, compute_with(workers=2))[3:])
    thread.join()
    assert "pipeline/training" not in capfd.readouterr().err  # no traceback
    assert step_of(folder / "checkpoint.pt") >= CPU.checkpoint_steps
    run("harmed", options=long_options)
    assert result(folder) == result(uninterrupted)
    assert sorted(path.name for path in folder.iterdir()) == FINISHED_FILES
