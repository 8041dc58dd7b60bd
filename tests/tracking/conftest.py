"""What a training that is to be published reads."""

from pathlib import Path

import pytest

from tests.plain_pictures import draw_bank, draw_shards


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    (tmp_path / "shards").mkdir()
    return draw_shards(tmp_path / "shards")


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    (tmp_path / "bank").mkdir()
    return draw_bank(tmp_path / "bank")
