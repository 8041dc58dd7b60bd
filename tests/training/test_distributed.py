"""Several processes train as one: same losses and weights, one writer, clear ends.

The ranks are forks, which need not import torch again; `--long` also starts them as the workflow
does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import pipeline.elastic
import pipeline.files
from pipeline.errors import InputError
from pipeline.options.compute import ComputeOptions
from pipeline.options.run import RunOptions
from pipeline.ranks import Ranks, joined_ranks
from pipeline.training.loop import Learner
from tests.cases import long_but
from tests.model.test_variants import CONFIG
from tests.training.runs import (
    FINISHED_FILES,
    TIMES,
    Runner,
    command,
    compute_with,
    result,
    rows,
    step_of,
    stopped,
    train_run,
    with_options,
)

# no coverage: slower by half, and other tests reach these lines
pytestmark = [pytest.mark.no_cover, pytest.mark.usefixtures("forked_ranks")]

STEPS = 20
TWO = compute_with(gpus=2)


@pytest.fixture(scope="module")
def steps_options(options: RunOptions) -> RunOptions:
    """Options with a step per epoch, so that the history has the losses of each step.

    SGD: Adam makes whole steps of the rounding errors of gradients that are zero.
    """
    options = with_options(options, "backbone", camera_embedding=1.0)
    one_batch = {"epochs": STEPS, "identities": 6, "optimizer": "sgd", "lr": 0.01}
    return with_options(options, "training", **one_batch, clip_norm=5.0)


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory, shards: Path, bank: Path, steps_options: RunOptions
) -> Path:
    """A run of `steps_options` by one process."""
    return train_run(tmp_path_factory.mktemp("whole"), shards, bank, steps_options)


def variant_options(options: RunOptions, variant: str, contrast: str | None) -> RunOptions:
    """Return `options` with the branches, losses and occlusion of a variant of config.yaml."""
    given = CONFIG.run_options(variant)
    loss = given.loss if contrast is None else given.loss.model_copy(update={"contrast": contrast})
    model = given.model.model_copy(update={"k_min": 2})
    augment = options.augment.model_copy(update={"occlusion": given.augment.occlusion})
    return options.model_copy(update={"model": model, "loss": loss, "augment": augment})


def assert_equal_runs(found: Path, expected: Path) -> None:
    """Compare losses and weights of two runs within 1e-5, and the numbers of kept tokens."""
    for row, other in zip(rows(found), rows(expected), strict=True):
        for name in row.keys() - TIMES - {"token_auc"}:
            if other[name] == "":
                assert row[name] == ""
            else:
                assert float(row[name]) == pytest.approx(float(other[name]), abs=1e-5), name
    weights, others = (load_file(folder / "weights.safetensors") for folder in (found, expected))
    assert weights.keys() == others.keys()
    for name, values in weights.items():
        torch.testing.assert_close(values, others[name], atol=1e-5, rtol=0, msg=name)
    assert sorted(path.name for path in found.iterdir()) == FINISHED_FILES


CASES = [
    *((variant, contrast) for variant in CONFIG.variants for contrast in (None, "none")),
    ("dpeformer", "both"),
]


@pytest.fixture
def writers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with the rank of each process that writes a file."""
    original, writers = pipeline.files._partial_path, tmp_path / "writers"

    def recorded(path: Path) -> Path:
        with open(writers, "a") as file:
            file.write(os.environ.get("RANK", "none") + "\n")
        return original(path)

    monkeypatch.setattr(pipeline.files, "_partial_path", recorded)
    return writers


@pytest.mark.parametrize("case", long_but(CASES, ("dpeformer", "both")))
@pytest.mark.parametrize("ema", long_but([0.9, None], 0.9))
def test_two_ranks_train_as_one_process(
    run: Runner,
    steps_options: RunOptions,
    case: tuple[str, str | None],
    ema: float | None,
    writers: Path,
) -> None:
    """With drop path: the ranks drop the images that one process drops. Only the first writes."""
    options = variant_options(steps_options, *case)
    options = with_options(options, "training", ema=ema)
    expected = run("whole", options=options)
    assert len(rows(expected)) == STEPS
    writers.unlink()
    assert_equal_runs(run("split", options=options, compute=TWO), expected)
    assert set(writers.read_text().split()) == {"0"}


@pytest.mark.long
@pytest.mark.parametrize("values", [{"gpus": 3}, {"workers": 1}, {"gpus": 6, "workers": 1}])
def test_any_number_of_ranks_and_loader_processes_train_as_one_process(
    run: Runner, steps_options: RunOptions, values: dict[str, int], whole: Path
) -> None:
    split = run("split", options=steps_options, compute=compute_with(**{"gpus": 2} | values))
    assert_equal_runs(split, whole)


@pytest.mark.long
@pytest.mark.parametrize("values", [{"batch_norm": "joint"}, {"class_neck": True}])
def test_batch_norm_sees_the_whole_batch(
    run: Runner, steps_options: RunOptions, values: dict[str, Any]
) -> None:
    options = with_options(steps_options, "model", **values)
    assert_equal_runs(run("split", options=options, compute=TWO), run("whole", options=options))


@pytest.mark.long
def test_chunks_of_ranks_train_as_one_process(run: Runner, steps_options: RunOptions) -> None:
    """Without drop path, whose draws depend on the chunks."""
    options = with_options(steps_options, "backbone", drop_path=0.0)
    split = run("split", options=options, compute=compute_with(gpus=2, chunk=5))
    assert_equal_runs(split, run("whole", options=options))


@pytest.mark.parametrize("counts", long_but([(1, 2), (2, 1), (2, 3)], (2, 1)))
def test_a_stopped_training_resumes_on_another_number_of_ranks(
    run: Runner, steps_options: RunOptions, tmp_path: Path, counts: tuple[int, int], whole: Path
) -> None:
    before, after = counts
    folder = tmp_path / "stopped"
    done = stopped(run, folder, options=steps_options, compute=compute_with(gpus=before))
    assert 4 <= done < STEPS
    run("stopped", options=steps_options, compute=compute_with(gpus=after))
    assert_equal_runs(folder, whole)


@pytest.mark.long
def test_the_same_number_of_ranks_gives_the_same_bytes(
    run: Runner, steps_options: RunOptions, tmp_path: Path
) -> None:
    """Also after an interruption."""
    given = {"options": steps_options, "compute": TWO}
    expected = run("uninterrupted", **given)
    stopped(run, tmp_path / "stopped", **given)
    assert result(run("stopped", **given)) == result(expected)


@contextmanager
def rank_1_at_step(number: int, act: Callable[[], None]) -> Iterator[None]:
    """Let rank 1 call `act` before its step of this number."""
    step, done = Learner.step, []

    def acting(learner: Learner, *given: Any) -> Any:
        done.append(None)
        if len(done) == number and os.environ.get("RANK") == "1":
            act()
        return step(learner, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Learner, "step", acting)
        yield


def test_a_killed_rank_ends_the_training_which_resumes(
    run: Runner, steps_options: RunOptions, tmp_path: Path, whole: Path
) -> None:
    message = r"^compute\.gpus: rank 1 of 2 was ended by SIGKILL: .* resumes from its last"
    killing = rank_1_at_step(6, lambda: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(InputError, match=message), killing:
        run("killed", options=steps_options, compute=TWO)
    assert step_of(tmp_path / "killed/checkpoint.pt") == 4
    run("killed", options=steps_options, compute=TWO)
    assert_equal_runs(tmp_path / "killed", whole)


@pytest.mark.long
def test_a_hung_rank_ends_the_training_in_time(
    run: Runner, steps_options: RunOptions, tmp_path: Path
) -> None:
    """torch kills the hung rank 30 seconds after the others have ended."""
    started, compute = time.monotonic(), compute_with(gpus=2, rank_timeout=2)
    message = r"rank 0 of 2 expected an answer from every other rank within 2 s"
    hanging = rank_1_at_step(6, lambda: time.sleep(1000))
    with pytest.raises(InputError, match=message), hanging:
        run("hung", options=steps_options, compute=compute)
    assert time.monotonic() - started < 120
    assert step_of(tmp_path / "hung/checkpoint.pt") == 4


def test_an_error_of_a_rank_is_that_of_the_training(run: Runner, options: RunOptions) -> None:
    options = with_options(options, "training", lr=1e30)
    with pytest.raises(InputError, match=r"^training: epoch \d of 3.*expected finite numbers"):
        run("diverged", options=options, compute=TWO)


@pytest.mark.long
def test_the_stage_starts_its_ranks_and_a_signal_stops_them(
    shards: Path, bank: Path, steps_options: RunOptions, tmp_path: Path, whole: Path
) -> None:
    """As the workflow runs it: new processes, and Ctrl-C for all of them."""
    folder = tmp_path / "stopped"
    words = [sys.executable, *command(folder, shards, bank, steps_options, TWO)[1:]]
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(words, start_new_session=True, **settings) as child:
        while not (folder / "checkpoint.pt").is_file():
            assert child.poll() is None
            time.sleep(0.001)
        os.killpg(child.pid, signal.SIGINT)
        output, _ = child.communicate(timeout=300)
    assert child.returncode == 128 + signal.SIGINT, output
    assert "Traceback" not in output
    assert "stopped by SIGINT after step" in output
    subprocess.run(words, check=True, capture_output=True)
    assert_equal_runs(folder, whole)


@pytest.mark.long
def test_a_batch_that_the_ranks_cannot_share_is_an_error(run: Runner, options: RunOptions) -> None:
    with pytest.raises(InputError, match=r"found batches of 6 images.*compute\.gpus is 4"):
        run("uneven", options=options, compute=compute_with(gpus=4))


def test_more_ranks_than_gpus_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    message = "compute.gpus: found 3, but torch finds 2 CUDA devices"
    compute = ComputeOptions(gpus=3)
    with pytest.raises(InputError, match=message), joined_ranks(compute, torch.device("cuda")):
        pass


def test_parts_of_a_batch_are_the_batch() -> None:
    batch = list(range(6))
    parts = [Ranks(number, 3).part(batch) for number in range(3)]
    assert parts == [[0, 1], [2, 3], [4, 5]]
    assert Ranks().part(batch) == batch
