"""The benchmark of the network's inputs prints times, ratios and memory."""

from __future__ import annotations

import re

import numpy as np
import pytest

from benchmarks.inputs import (
    NETWORK,
    StockViews,
    decode_by_pillow,
    in_turns,
    main,
    random_bank,
    random_jpegs,
)
from pipeline.data.images import decode_image
from pipeline.options.run import AugmentOptions


def test_works_take_turns() -> None:
    order: list[str] = []
    works = {name: lambda i, name=name: order.append(f"{name}{i}") for name in "ab"}
    least = in_turns(works, 2, 2)
    assert order == ["a0", "a1", "b0", "b1"] * 2
    assert all(0 <= value < 1e6 for value in least.values())


def test_both_decode_the_same_and_stock_views_differ_in_the_second() -> None:
    for data in random_jpegs(NETWORK, 3):
        picture = decode_by_pillow(data)
        np.testing.assert_array_equal(decode_image(data, "x"), np.asarray(picture))
        stock = StockViews(AugmentOptions(), random_bank(3))
        clean, second = stock(picture, np.random.default_rng(0))
        assert clean.shape == second.shape == (3, 256, 128)
        assert (clean != second).float().mean() > 0.2


def test_measurements_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--images", "2", "--rounds", "1", "--fraction", "0.01"])
    text = capsys.readouterr().out
    found = re.search(r"features: (\d+) MiB on disk, (\d+) MiB more memory", text)
    assert found is not None
    assert int(found[1]) == pytest.approx(0.01 * 93_820 * 6912 * 4 / 2**20, abs=1)
    assert len(re.findall(r"us, stock / ours +[\d.]+$", text, re.MULTILINE)) == 6
