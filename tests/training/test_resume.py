"""A run that was interrupted, or whose checkpoint was damaged, ends as one that was not."""

from __future__ import annotations

import errno
import os
import time
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
from tests.faults import file_limit
from tests.training.runs import (
    LEFT,
    OUTPUTS,
    STEPS,
    Runner,
    command,
    computed,
    result,
    rows,
    step_of,
    stopped,
    with_,
)

pytestmark = pytest.mark.no_cover  # slower by half; other tests reach these lines


@pytest.mark.parametrize(
    ("recipe", "steps"),
    [
        ({"optimizer": "adamw", "ema": 0.9}, 3),
        ({"optimizer": "sgd"}, 4),
        pytest.param({"optimizer": "adamw", "ema": 0.9}, 4, marks=pytest.mark.long),
        pytest.param({"optimizer": "sgd"}, 3, marks=pytest.mark.long),
    ],
)
def test_a_stopped_run_goes_on_to_the_same_bits(
    run: Runner, longer: RunOptions, tmp_path: Path, recipe: dict[str, Any], steps: int
) -> None:
    """Each epoch has two steps, so that checkpoints fall into epochs and between them."""
    given = {
        "options": with_(longer, "training", **recipe),
        "compute": computed(checkpoint_steps=steps),
    }
    whole, folder = run("whole", **given), tmp_path / "stopped"
    done = stopped(run, folder, **given)
    assert 2 * steps <= done < STEPS
    before = rows(folder)
    assert len(before) == done // 2
    run("stopped", **given)
    assert result(folder) == result(whole)
    assert rows(folder)[: done // 2] == before  # times too
    assert sorted(path.name for path in folder.iterdir()) == LEFT


def test_resuming_does_not_embed_the_training_set_again(
    run: Runner,
    longer: RunOptions,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its memory banks are restored; images as they are, not augmented, start them only."""
    folder = tmp_path / "stopped"
    stopped(run, folder, options=longer)
    read: list[int] = []
    original = TrainingImages.__getitem__
    monkeypatch.setattr(
        TrainingImages, "__getitem__", lambda images, i: read.append(i) or original(images, i)
    )
    run("stopped", options=longer)
    assert read == []
    assert result(folder) == result(whole)
    run("without", options=with_(with_(longer, "loss", contrast="none"), "training", epochs=1))
    assert read == []
    run("fresh", options=with_(longer, "training", epochs=1))
    assert sorted(read) == list(range(24))


def test_the_record_counts_all_pieces(
    run: Runner, longer: RunOptions, whole: Path, tmp_path: Path
) -> None:
    """It is stopped late: its second piece alone is shorter than the first."""
    folder, compute = tmp_path / "stopped", computed(checkpoint_steps=STEPS // 3)
    stopped(run, folder, options=longer, compute=compute)
    first = read_checkpoint(folder / "checkpoint.pt", torch.device("cpu"))["progress"]
    time.sleep(1.1)  # times are noted in whole seconds
    record = read_json(run("stopped", options=longer, compute=compute) / "run.json")
    other = read_json(whole / "run.json")
    assert (record["resumed"], other["resumed"]) == (1, 0)
    assert first["started"] == record["started"] < record["finished"]
    steps = sum(float(row["seconds"]) for row in rows(folder))
    assert record["seconds"] > max(first["seconds"], steps)
    assert record["hashes"].pop("history") != other["hashes"].pop("history")  # it has times
    differ = {name for name in record if record[name] != other[name]}
    assert differ <= {"started", "finished", "seconds", "resumed", "peak_memory_mib", "compute"}


def test_the_record_names_each_environment_that_a_piece_was_trained_in(
    run: Runner, longer: RunOptions, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "stopped"
    with monkeypatch.context() as elsewhere:
        other = current_environment() | {"python": "3.10.1"}
        elsewhere.setattr("pipeline.training.train.current_environment", lambda: other)
        stopped(run, folder, options=longer)
    record = read_json(run("stopped", options=longer) / "run.json")
    assert record["python"] == current_environment()["python"]
    assert record["earlier_environments"] == [other]
    assert read_json(whole / "run.json")["earlier_environments"] == []


def flip_a_byte(path: Path, place: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 0x40
    path.write_bytes(content)


def test_a_damaged_state_gives_way_to_the_one_before_it(
    run: Runner, longer: RunOptions, whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, compute = tmp_path / "damaged", computed(checkpoint_steps=5)
    stopped(run, folder, options=longer, compute=compute)
    before = step_of(folder / "checkpoint.previous.pt")
    flip_a_byte(folder / "checkpoint.pt", place=0.7)
    run("damaged", options=longer, compute=compute)
    assert "checkpoint.pt: ignored: not a readable checkpoint" in caplog.text
    assert f"checkpoint.previous.pt: resuming after step {before}" in caplog.text
    assert result(folder) == result(whole)
    assert sorted(path.name for path in folder.iterdir()) == LEFT


@pytest.mark.parametrize(
    "content", long_but([b"", b"not a checkpoint", b"PK\x03\x04 cut off", None], b"", None)
)
def test_without_any_good_state_training_starts_anew(
    run: Runner,
    longer: RunOptions,
    whole: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    content: Any,
) -> None:
    folder = tmp_path / "damaged"
    stopped(run, folder, options=longer)
    for place, name in ((0.0, "checkpoint.pt"), (0.999, "checkpoint.previous.pt")):
        if content is None:
            flip_a_byte(folder / name, place)
        else:
            (folder / name).write_bytes(content)
    run("damaged", options=longer)
    assert caplog.text.count("ignored: not a readable checkpoint") == 2
    assert "training starts anew" in caplog.text
    assert result(folder) == result(whole)
    assert read_json(folder / "run.json")["resumed"] == 0


def test_a_checkpoint_of_another_run_is_ignored_with_a_message(
    run: Runner,
    longer: RunOptions,
    options: RunOptions,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of one in another precision too: two halves would be neither."""
    other = tmp_path / "other"
    stopped(run, other, options=longer)
    run("other", options=options)
    assert "ignored: checkpoint of another run" in caplog.text
    assert "training starts anew" in caplog.text
    assert result(other) == result(run("fresh", options=options))
    caplog.clear()
    precise = tmp_path / "precise"
    stopped(run, precise, options=longer)
    run("precise", options=longer, compute=computed(precision="bfloat16"))
    assert "training starts anew" in caplog.text


def test_a_full_disk_leaves_the_states_as_they_were(
    run: Runner, shards: Path, bank: Path, longer: RunOptions, tmp_path: Path
) -> None:
    """A real fault: the process may write no file of more than 20 kB."""
    folder = tmp_path / "full"
    stopped(run, folder, options=longer)
    (folder / ".partial-1-checkpoint.pt").write_bytes(b"of a process that was killed")
    before = {path.name: path.read_bytes() for path in folder.glob("checkpoint*")}
    assert len(before) == 2
    words = command(folder, shards, bank, longer)[3:]
    said = rf"^error: {folder}/checkpoint\.pt: cannot be written \(File too large\)"
    with file_limit(20_000), pytest.raises(SystemExit, match=said):
        main(words)
    assert {path.name: path.read_bytes() for path in folder.glob("checkpoint*")} == before
    assert {path.name for path in folder.iterdir()} == {*before, "history.csv"}


def test_an_ignored_checkpoint_never_takes_the_place_of_the_good_one(
    run: Runner,
    shards: Path,
    bank: Path,
    longer: RunOptions,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The disk says only when it is asked to keep the next checkpoint that it is full."""
    folder = tmp_path / "damaged"
    stopped(run, folder, options=longer)
    before = step_of(folder / "checkpoint.previous.pt")
    flip_a_byte(folder / "checkpoint.pt", place=0.5)
    keep = os.fsync

    def full(file: int) -> None:
        if "checkpoint.pt" in os.readlink(f"/proc/self/fd/{file}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        keep(file)

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            run("damaged", options=longer)
    assert step_of(folder / "checkpoint.previous.pt") == before
    run("damaged", options=longer)
    assert read_json(folder / "run.json")["resumed"] == 1
    assert result(folder) == result(whole)


def test_a_run_that_is_killed_at_its_very_end_trains_no_step_again(
    run: Runner, longer: RunOptions, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Snakemake deletes the outputs of a job whose end it has not noted."""
    folder = run("again", options=longer)
    for name in OUTPUTS:
        (folder / name).unlink()
    monkeypatch.setattr("pipeline.training.loop._run_step", None)
    assert result(run("again", options=longer)) == result(whole)
