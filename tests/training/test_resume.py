"""An interrupted run, or one with a damaged checkpoint, ends as an uninterrupted one."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.data.training_images import TrainingImages
from pipeline.files import read_json
from pipeline.launcher import main
from pipeline.options.run import RunOptions
from pipeline.provenance.environment import current_environment
from pipeline.training.checkpoint import read_checkpoint
from tests.cases import long_but
from tests.faults import file_limit, flip_byte
from tests.training.runs import (
    EPOCHS,
    FINISHED_FILES,
    OUTPUTS,
    STEPS,
    Runner,
    command,
    compute_with,
    result,
    rows,
    step_of,
    stopped,
    with_options,
)

pytestmark = pytest.mark.no_cover  # slower by half; other tests reach these lines


@pytest.mark.parametrize(
    ("recipe", "steps"),
    [
        ({"optimizer": "adamw", "ema": 0.9}, 3),
        pytest.param({"optimizer": "sgd"}, 4, marks=pytest.mark.long),
        pytest.param({"optimizer": "adamw", "ema": 0.9}, 4, marks=pytest.mark.long),
        pytest.param({"optimizer": "sgd"}, 3, marks=pytest.mark.long),
    ],
)
def test_a_stopped_run_resumes_to_the_same_bytes(
    run: Runner, long_options: RunOptions, tmp_path: Path, recipe: dict[str, Any], steps: int
) -> None:
    """An epoch has two steps: checkpoints fall within epochs and between them."""
    given = {
        "options": with_options(long_options, "training", **recipe),
        "compute": compute_with(checkpoint_steps=steps),
    }
    uninterrupted, folder = run("uninterrupted", **given), tmp_path / "stopped"
    done = stopped(run, folder, **given)
    assert 2 * steps <= done < STEPS
    before = rows(folder)
    assert len(before) == done // 2
    run("stopped", **given)
    assert result(folder) == result(uninterrupted)
    assert rows(folder)[: done // 2] == before  # times too
    assert sorted(path.name for path in folder.iterdir()) == FINISHED_FILES


def test_resuming_does_not_embed_the_training_set_again(
    run: Runner,
    long_options: RunOptions,
    options: RunOptions,
    resume: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The checkpoint has the memory banks; unaugmented images only fill them at the start."""
    read: list[int] = []
    original = TrainingImages.__getitem__
    monkeypatch.setattr(
        TrainingImages, "__getitem__", lambda images, i: read.append(i) or original(images, i)
    )
    resume()
    short = with_options(options, "training", epochs=1)
    run("without", options=with_options(short, "loss", contrast="none"))
    assert read == []
    run("fresh", options=short)
    assert sorted(read) == list(range(24))


def test_record_adds_up_time_before_and_after_resuming(
    run: Runner, long_options: RunOptions, uninterrupted: Path, tmp_path: Path
) -> None:
    """It is stopped late: the time after resuming alone is shorter than the time before."""
    folder, compute = tmp_path / "stopped", compute_with(checkpoint_steps=STEPS // 3)
    stopped(run, folder, options=long_options, compute=compute)
    first = read_checkpoint(folder / "checkpoint.pt", torch.device("cpu"))["progress"]
    time.sleep(1.1)  # times are in whole seconds
    record = read_json(run("stopped", options=long_options, compute=compute) / "run.json")
    other = read_json(uninterrupted / "run.json")
    assert (record["resumed"], other["resumed"]) == (1, 0)
    assert first["started"] == record["started"] < record["finished"]
    steps = sum(float(row["seconds"]) for row in rows(folder))
    assert record["seconds"] > max(first["seconds"], steps)
    assert record["hashes"].pop("history") != other["hashes"].pop("history")  # has times
    differ = {name for name in record if record[name] != other[name]}
    varying = {"started", "finished", "seconds", "resumed", "peak_memory_mib", "energy_joules"}
    assert differ <= varying | {"compute"}


def test_record_has_every_environment_of_a_resumed_run(
    run: Runner,
    long_options: RunOptions,
    uninterrupted: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "stopped"
    with monkeypatch.context() as elsewhere:
        other = current_environment() | {"python": "3.10.1"}
        elsewhere.setattr("pipeline.training.train.current_environment", lambda: other)
        stopped(run, folder, options=long_options)
    record = read_json(run("stopped", options=long_options) / "run.json")
    assert record["python"] == current_environment()["python"]
    assert record["earlier_environments"] == [other]
    assert read_json(uninterrupted / "run.json")["earlier_environments"] == []


def test_damaged_checkpoint_falls_back_to_previous(
    interrupted: Path, resume: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    before = step_of(interrupted / "checkpoint.previous.pt")
    flip_byte(interrupted / "checkpoint.pt", position=0.7)
    resume()
    assert "checkpoint.pt: ignored: not a readable checkpoint" in caplog.text
    assert f"checkpoint.previous.pt: resuming after step {before}" in caplog.text


@pytest.mark.parametrize(
    "content", long_but([b"", b"not a checkpoint", b"PK\x03\x04 cut off", None], b"", None)
)
def test_training_starts_again_if_both_checkpoints_are_damaged(
    interrupted: Path,
    resume: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
    content: bytes | None,
) -> None:
    for position, name in ((0.0, "checkpoint.pt"), (0.999, "checkpoint.previous.pt")):
        if content is None:
            flip_byte(interrupted / name, position)
        else:
            (interrupted / name).write_bytes(content)
    resume()
    assert caplog.text.count("ignored: not a readable checkpoint") == 2
    assert "training starts again" in caplog.text
    assert read_json(interrupted / "run.json")["resumed"] == 0


def test_checkpoint_of_another_run_is_ignored_with_a_message(
    run: Runner,
    interrupted: Path,
    options: RunOptions,
    plain: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Another precision makes another run, too: a mixture would be neither."""
    other = Path(shutil.copytree(interrupted, interrupted.with_name("other")))
    run(other.name, options=options)
    assert "ignored: checkpoint of another run" in caplog.text
    assert "training starts again" in caplog.text
    assert result(other) == result(plain)
    caplog.clear()
    options = with_options(options, "training", epochs=EPOCHS)
    run(interrupted.name, options=options, compute=compute_with(precision="bfloat16"))
    assert "training starts again" in caplog.text


def test_full_disk_leaves_the_checkpoints_unchanged(
    shards: Path, bank: Path, long_options: RunOptions, interrupted: Path
) -> None:
    """The file size limit of the process is 20 kB."""
    (interrupted / ".partial-1-checkpoint.pt").write_bytes(b"of a killed process")
    before = {path.name: path.read_bytes() for path in interrupted.glob("checkpoint*")}
    assert len(before) == 2
    words = command(interrupted, shards, bank, long_options)[3:]
    message = rf"^error: {interrupted}/checkpoint\.pt: cannot be written \(File too large\)"
    with file_limit(20_000), pytest.raises(SystemExit, match=message):
        main(words)
    assert {path.name: path.read_bytes() for path in interrupted.glob("checkpoint*")} == before
    assert {path.name for path in interrupted.iterdir()} == {*before, "history.csv"}


def test_ignored_checkpoint_never_replaces_the_valid_one(
    interrupted: Path, resume: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk reports that it is full only when the next checkpoint is synchronised."""
    before = step_of(interrupted / "checkpoint.previous.pt")
    flip_byte(interrupted / "checkpoint.pt", position=0.5)
    fsync = os.fsync

    def full(file: int) -> None:
        if "checkpoint.pt" in os.readlink(f"/proc/self/fd/{file}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(file)

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            resume()
    assert step_of(interrupted / "checkpoint.previous.pt") == before
    resume()
    assert read_json(interrupted / "run.json")["resumed"] == 1


def test_run_killed_after_its_last_step_repeats_no_step(
    run: Runner, long_options: RunOptions, uninterrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Snakemake deletes the outputs of a job that it did not see end."""
    folder = run("again", options=long_options)
    for name in OUTPUTS:
        (folder / name).unlink()
    monkeypatch.setattr("pipeline.training.loop.Learner.step", None)
    assert result(run("again", options=long_options)) == result(uninterrupted)
