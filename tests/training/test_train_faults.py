"""Bad input, changed data, dead loader processes and numbers that run away, each met for real."""

from __future__ import annotations

import os
import resource
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
from tests.training.runs import (
    CPU,
    LEFT,
    Runner,
    command,
    computed,
    result,
    step_of,
    with_,
)

pytestmark = pytest.mark.no_cover  # slower by half; other tests reach these lines


def test_a_loss_that_is_not_finite_stops_with_step_and_culprit(
    run: Runner, options: RunOptions, tmp_path: Path
) -> None:
    mad = with_(options, "training", lr=1e30, warmup_epochs=0.0)
    with pytest.raises(
        InputError, match=r"epoch 1 of 3, step 2 of 2: the loss (identity|contrast)_\w+ is nan"
    ) as error:
        run("mad", options=mad)
    assert "lower training.lr (now 1e+30)" in str(error.value)
    assert not (tmp_path / "mad" / "weights.safetensors").exists()


def test_weights_that_are_not_finite_are_never_a_result(
    run: Runner, options: RunOptions, tmp_path: Path
) -> None:
    """One step only: no later loss can tell."""
    mad = with_(options, "training", lr=1e38, head_lr_factor=1e3, epochs=1, identities=6)
    with pytest.raises(InputError, match=r"step 1 of 1: the weights \S+ are not finite"):
        run("mad", options=with_(mad, "training", warmup_epochs=0.0, schedule="step"))
    assert not (tmp_path / "mad" / "weights.safetensors").exists()


def test_bad_input_is_named(run: Runner, options: RunOptions, shards: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"takes 7 identities, found 6"):
        run("batch", options=with_(options, "training", identities=7))
    later = TrainingNeeds(identities=7, camera_embedding=False, tested=False)
    with pytest.raises(InputError, match=r"takes 7 identities, found 6"):  # of a later variant
        run("later", needs=later)
    with pytest.raises(InputError, match=r"augment\.occlusion.*found none"):
        run("bank", bank=None)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for file in shards.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes()[:-1])
    (damaged / "shards.json").write_bytes((shards / "shards.json").read_bytes())
    with pytest.raises(InputError, match=r"damaged.*: expected \d+ bytes"):
        run("shards", shards=damaged)


def copy(folder: Path, to: Path) -> Path:
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("which", ["shards", "bank"])
@pytest.mark.parametrize(
    ("harm", "message"), [(flip_a_bit, "expected SHA-256"), (Path.unlink, "missing")]
)
def test_a_shard_that_changed_is_found_before_anything_is_trained(
    run: Runner,
    shards: Path,
    bank: Path,
    tmp_path: Path,
    which: str,
    harm: Callable[[Path], None],
    message: str,
) -> None:
    harmed = copy({"shards": shards, "bank": bank}[which], tmp_path / which)
    [tar] = harmed.glob("*.tar")
    harm(tar)
    with pytest.raises(InputError, match=rf"{tar.name}: .*{message}"):
        run("run", **{which: harmed})
    assert not (tmp_path / "run").exists()


def kill(worker: int) -> None:
    os.kill(worker, signal.SIGKILL)


def leave_no_memory(worker: int) -> None:
    """Its address space may grow by nothing: what it asks the system for next, it is refused."""
    resource.prlimit(worker, resource.RLIMIT_AS, (1, 1))


def loader_processes() -> list[int]:
    """Forks of this process, which have its command line."""
    here = Path(f"/proc/{os.getpid()}")
    children = (here / f"task/{os.getpid()}/children").read_text().split()
    line = (here / "cmdline").read_bytes()
    return [int(n) for n in children if Path(f"/proc/{n}/cmdline").read_bytes() == line]


@pytest.mark.skipif(sys.platform != "linux", reason="finds the loader processes in /proc")
@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (kill, "killed by signal: Killed|exited unexpectedly|Connection|end of file"),
        (leave_no_memory, "Cannot allocate memory"),
    ],
)
def test_a_loader_process_that_dies_costs_no_work(
    run: Runner,
    shards: Path,
    bank: Path,
    longer: RunOptions,
    whole: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    harm: Callable[[int], None],
    message: str,
) -> None:
    folder = tmp_path / "harmed"

    def harm_one() -> None:
        while not (folder / "checkpoint.pt").is_file():
            time.sleep(0.001)
        harm(loader_processes()[0])

    harming = threading.Thread(target=harm_one)
    harming.start()
    # torch may raise a second time while the bar is closed: then it is in the same line
    said = rf"error: config: compute\.workers: expected 2 loader processes.*({message})"
    with pytest.raises(SystemExit, match=said):
        main(command(folder, shards, bank, longer, computed(workers=2))[3:])
    harming.join()
    assert "pipeline/training" not in capfd.readouterr().err  # a traceback of ours
    assert step_of(folder / "checkpoint.pt") >= CPU.checkpoint_steps
    run("harmed", options=longer)
    assert result(folder) == result(whole)
    assert sorted(path.name for path in folder.iterdir()) == LEFT
