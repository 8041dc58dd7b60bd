"""Options and session fixtures that keep the suite fast; see tests/README.md."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: waiting threads occupy other cores
os.environ.pop("MLFLOW_TRACKING_URI", None)  # the tests must not publish to a user's server

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.warm import warm_python

WARM = "WARM_PYTHON"
"""Environment variable with the folder of the `python` that all pytest-xdist processes share."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the exhaustive tests")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: exhaustive, skipped without --long")
    if getattr(config.option, "numprocesses", None):  # all processes share the first one's
        python = warm_python()
        os.environ[WARM] = str(python.__enter__())
        config.add_cleanup(lambda: python.__exit__(None, None, None))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Start with the slowest folder; skip exhaustive tests."""
    items.sort(key=lambda item: _folder(item.nodeid) != "workflow")
    for item in items:
        if item.get_closest_marker("long") and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="exhaustive: run with --long"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Run each folder in one process, because its tests share session fixtures."""
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = _folder
    return scheduler


def _folder(nodeid: str) -> str:
    """Return the folder, or file, of a test below tests/."""
    return nodeid.split("::")[0].split("/")[1]


@pytest.fixture(scope="session")
def warm() -> Iterator[Path]:
    """Folder with a `python` that starts at once."""
    if folder := os.environ.get(WARM):
        yield Path(folder)
    else:
        with warm_python() as own:
            yield own


@pytest.fixture
def forked_ranks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let ranks be forks, which need not import torch again."""
    from pipeline import elastic

    launch = elastic.elastic_launch

    def frozen(*given: Any) -> Any:
        gc.collect()
        gc.freeze()  # a rank must not destroy objects whose threads it does not have
        return launch(*given)

    monkeypatch.setattr(elastic, "START_METHOD", "fork")
    monkeypatch.setattr(elastic, "elastic_launch", frozen)
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether random tests try many cases instead of a few."""
    return request.config.getoption("--long")
