"""Options of all tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long",
        action="store_true",
        help="kill at many random moments, and run every ready experiment",
    )


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether to kill at many random moments and run every ready experiment, instead of a few."""
    return request.config.getoption("--long")
