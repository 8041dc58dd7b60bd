"""A small folder of SA-1B."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.sa1b_files import add_pair


@pytest.fixture
def shapes() -> dict[int, list[np.ndarray]]:
    """Two random masks for each of four images of different sizes."""
    rng = np.random.default_rng(5)
    found = {}
    for number, size in ((1, (50, 70)), (10, (64, 40)), (2, (33, 90)), (560, (48, 48))):
        found[number] = [rng.random(size) < fraction for fraction in (0.3, 0.9)]
        found[number][0][0, 0] = True
    return found


@pytest.fixture
def sa1b(tmp_path: Path, shapes: dict[int, list[np.ndarray]]) -> Path:
    (tmp_path / "sa_000000").mkdir()
    for number, masks in shapes.items():
        add_pair(tmp_path / "sa_000000", number, masks)
    return tmp_path / "sa_000000"
