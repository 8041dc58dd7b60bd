"""A run's threshold is that of its own report; matches from it are accepted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline import load
from pipeline.errors import InputError
from pipeline.evaluation.open_set import open_set
from pipeline.files import read_json
from pipeline.use.embedder import Embedder, Matches
from pipeline.use.threshold import Threshold
from tests.evaluation.test_open_set import random_arrays
from tests.use.conftest import write_report


def test_threshold_is_that_of_the_stage_open_set(run: Path) -> None:
    arrays = random_arrays()
    blended = {f"{split}_blended": arrays[f"{split}_global"] for split in ("query", "gallery")}
    np.savez(run / "features.npz", **arrays, **blended)
    open_set(run / "features.npz", run / "run.json", run / "open_set.json", "toy")
    expected = read_json(run / "open_set.json")["threshold"]
    assert expected is not None
    assert load(run, "cpu").threshold == Threshold(expected, 0.001, "toy")


@pytest.mark.parametrize("stated", [False, True])
def test_run_without_threshold_has_none(run: Path, stated: bool) -> None:
    if stated:
        write_report(run, None)
    assert load(run, "cpu").threshold is None


def test_weights_alone_have_no_threshold(run: Path) -> None:
    write_report(run, 0.5)
    assert load(run / "weights.safetensors", "cpu").threshold is None


@pytest.mark.parametrize("changed", [{"run": "0" * 64}, {"feature": "coarse"}])
def test_report_of_another_training_or_feature_is_refused(
    run: Path, changed: dict[str, str]
) -> None:
    write_report(run, 0.5, **changed)
    with pytest.raises(InputError, match=r"open_set\.json: found the threshold of another"):
        load(run, "cpu")


@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_damaged_report_is_refused(run: Path, content: str) -> None:
    (run / "open_set.json").write_text(content)
    with pytest.raises(InputError, match=r"open_set\.json: expected the output of .* open_set, fo"):
        load(run, "cpu")


def test_accepted_are_similarities_from_the_threshold() -> None:
    """The exact one too: the threshold is the lowest similarity that is accepted."""
    similarities = [float(np.float32(each)) for each in (0.7, 0.6, 0.5)]
    matches = Matches(["q"], [["a", "b", "c"]], [similarities])
    table = matches.table(Threshold(similarities[1], 0.001, "toy"))
    assert table["accepted"].tolist() == [True, True, False]
    assert "accepted" not in matches.table()


def test_threshold_changes_no_feature(run: Path, model: Embedder, pictures: Path) -> None:
    write_report(run, 0.5)
    np.testing.assert_array_equal(load(run, "cpu").embed(pictures), model.embed(pictures))
