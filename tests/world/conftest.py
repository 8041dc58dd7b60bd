from pathlib import Path

import pytest

from pipeline.world.body import Body

BODY = Path("workflow/body/body.npz")


@pytest.fixture(scope="session")
def body() -> Body:
    return Body.load(BODY)
