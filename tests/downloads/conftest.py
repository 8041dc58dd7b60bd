from collections.abc import Iterator

import pytest

from pipeline.downloads import transfer
from tests.server import Server, serving


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(transfer, "PAUSE", 0.001)
    with serving(monkeypatch) as server:
        yield server
