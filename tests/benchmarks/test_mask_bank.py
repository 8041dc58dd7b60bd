"""The benchmark of the mask generator compares every mask and prints ratios."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from benchmarks.mask_bank import compare, main
from pipeline.occluders.rle import encode_rle


def square(side: int, stability: float = 0.5) -> dict[str, Any]:
    mask = np.zeros((10, 10), bool)
    mask[:side, :side] = True
    return {"segmentation": encode_rle(mask), "stability_score": stability}


def test_a_difference_is_told() -> None:
    masks = [square(2), square(3)]
    assert compare(masks, [square(2), square(3)]) == "same masks to the bit"
    assert compare(masks, masks[:1]) == "1 masks found, expected 2"
    differing = compare(masks, [square(2), square(2)])
    assert differing == "5 pixels of 2 masks differ; lowest IoU 0.444444"
    scores = compare(masks, [square(2), square(3, stability=0.6)])
    assert scores == "0 pixels of 2 masks differ; lowest IoU 1.000000"


def test_stages_add_up_to_the_total(capsys: pytest.CaptureFixture[str]) -> None:
    [row] = main(["--points-per-side", "4", "--images", "1", "--rounds", "1"])
    assert row.unit.endswith("same masks to the bit")
    equal, images, *stages = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"[1-9]\d* masks: same masks to the bit", equal)
    assert images.startswith("1 images of 640 x 480")
    seconds = [list(map(float, re.findall(r"([\d.]+) s,", line))) for line in stages]
    assert all(second > 0 for row in seconds for second in row)
    *parts, total = np.array(seconds)
    np.testing.assert_allclose(np.sum(parts, axis=0), total, atol=3e-3)
