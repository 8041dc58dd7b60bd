"""What keeps the suite below eight CPU-minutes; see tests/README.md for those who add tests."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: threads that wait burn the other core

import pytest

TESTS = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the exhaustive tests")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: exhaustive, skipped without --long")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep each folder in one process, for its fixtures; the longest folder starts first."""
    items.sort(key=lambda item: _folder(item) != "workflow")
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_folder(item)))
        if item.get_closest_marker("long") and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="exhaustive: run with --long"))


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).parts[0]


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether a random test is to try many random cases instead of a few."""
    return request.config.getoption("--long")
