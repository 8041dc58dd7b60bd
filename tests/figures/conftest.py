"""A tiny dataset of single-coloured images, and a bank."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plain_pictures import draw_bank, draw_shards


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_shards(tmp_path_factory.mktemp("shards"))


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_bank(tmp_path_factory.mktemp("bank"))
