"""The benchmark of the network's inputs compares our views with the usual ones."""

from __future__ import annotations

import numpy as np

from benchmarks.inputs import (
    NETWORK,
    StockViews,
    decode_by_pillow,
    main,
    random_bank,
    random_jpegs,
)
from pipeline.data.images import decode_image
from pipeline.options.run import AugmentOptions


def test_both_decode_the_same_and_stock_views_differ_in_the_second() -> None:
    for data in random_jpegs(NETWORK, 3):
        picture = decode_by_pillow(data)
        np.testing.assert_array_equal(decode_image(data, "x"), np.asarray(picture))
        stock = StockViews(AugmentOptions(), random_bank(3))
        clean, second = stock(picture, np.random.default_rng(0))
        assert clean.shape == second.shape == (3, 256, 128)
        assert (clean != second).float().mean() > 0.2


def test_rows_are_ratios() -> None:
    rows = main(["--images", "2", "--rounds", "1"])
    assert len({row.work for row in rows}) == 6
    assert all(row.value is not None and row.value > 0 for row in rows)
