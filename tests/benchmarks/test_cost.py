"""The estimated cost of an experiment against a count by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.cost import VIEWS, count_flop, main, read, training_cost
from pipeline.options.run import BackboneOptions, ImageOptions

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / f"workflow/{name}.yaml" for name in ("recipes/sgd", "experiments/market1501")]


def test_operations_of_vit_b_equal_a_count_by_hand() -> None:
    """A token and a weight make one multiplication and one addition."""
    width, patches, blocks = 768, 128, 12
    tokens = patches + 1
    embedding = 2 * patches * 3 * 16 * 16 * width
    linear = 2 * tokens * width * (3 * width + width + 4 * width + 4 * width)
    attention = 2 * 2 * tokens * tokens * width  # scores, and weighted values
    expected = embedding + blocks * (linear + attention)
    forward, both = count_flop(BackboneOptions(), ImageOptions())
    assert forward == expected
    # two gradients for each product, but none for the pixels
    assert both == pytest.approx(3 * expected - embedding, rel=1e-3)


def test_cost_of_a_training_equals_a_count_by_hand(monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    cost = training_cost(read(FILES), "dpeformer")
    most = 751 * (12936 // 751 // 4) // 16  # each identity once per four images
    single_views = 12936 + 3368 + 15913
    assert most - 15 < cost.steps <= most  # fewer than 16 identities may have images left
    expected = VIEWS * 64 * cost.steps * 120 * cost.both + single_views * cost.forward
    assert cost.total == pytest.approx(expected)


def test_hours_are_inverse_to_the_assumed_speed(monkeypatch, capsys) -> None:
    monkeypatch.chdir(ROOT)
    names = [str(file) for file in FILES]
    hours = []
    for speed in ("10", "20"):
        main([*names, "--tflops", speed])
        hours.append(float(capsys.readouterr().out.split()[-2]))
    assert hours[0] == pytest.approx(2 * hours[1], rel=0.01)
    total = 15 * training_cost(read(FILES), "dpeformer").total
    assert hours[0] == pytest.approx(total / 10e12 / 3600, abs=0.05)


def test_a_dataset_of_unknown_size_is_refused(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(ROOT)
    own = tmp_path / "own.yaml"
    own.write_text("data: {dataset: folder, archive: crops}")
    with pytest.raises(SystemExit):
        main([str(own)])
    assert "expected a dataset of known size, found folder" in capsys.readouterr().err
