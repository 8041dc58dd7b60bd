"""The same seed gives the same bytes with any number of loader processes."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch

from pipeline.data.training_images import TrainingImages
from pipeline.device import nondeterminism_warnings
from pipeline.files import read_json
from pipeline.options.run import RunOptions
from tests.cases import long_but
from tests.training.runs import Runner, compute_with, result

pytestmark = pytest.mark.no_cover  # slower by half; other tests reach these lines


@pytest.mark.parametrize("workers", long_but([0, 1, 2, 4], 0, 2))
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
def test_same_result_with_any_number_of_loader_processes(
    run: Runner, long_options: RunOptions, uninterrupted: Path, workers: int
) -> None:
    """Checkpoints are at other steps, too."""
    compute = compute_with(workers=workers, checkpoint_steps=1000)
    assert result(run("again", options=long_options, compute=compute)) == result(uninterrupted)


def test_nondeterministic_kernels_are_recorded(
    run: Runner, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the CPU all kernels of a training are deterministic; put_ with repeated indices is not."""
    assert read_json(plain / "run.json")["deterministic"] is True
    original = TrainingImages.source

    def unsafe(images: TrainingImages, i: int) -> object:
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.tensor([1.0, 2.0]))
        return original(images, i)

    monkeypatch.setattr(TrainingImages, "source", unsafe)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with pytest.warns(UserWarning, match="put_ does not have a deterministic"):
            folder = run("unsafe")
    finally:
        torch.use_deterministic_algorithms(False)
    assert read_json(folder / "run.json")["deterministic"] is False


def test_other_warnings_do_not_count_as_nondeterministic(recwarn: pytest.WarningsRecorder) -> None:
    with nondeterminism_warnings() as found:
        warnings.warn("the disk is slow", stacklevel=1)
    assert found == []
    assert [str(warning.message) for warning in recwarn] == ["the disk is slow"]
