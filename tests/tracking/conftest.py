"""A real MLflow server that the tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tracking.mlflow_server import MlflowServer


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, warm: Path) -> Iterator[MlflowServer]:
    """Each test has experiments of its own; one that stops the server starts it again."""
    made = MlflowServer(tmp_path_factory.mktemp("server"), warm / "python")
    made.start()
    yield made
    made.kill()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
