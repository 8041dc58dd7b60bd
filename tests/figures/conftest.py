"""A tiny benchmark of plain pictures, and a bank."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plain_pictures import colour, draw_bank, draw_shards


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_shards(tmp_path_factory.mktemp("shards"))


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_bank(tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="session")
def colour_of() -> Callable[[str, int, int], tuple[int, int, int]]:
    """The colour of the picture of a split, identity and camera."""
    return colour
