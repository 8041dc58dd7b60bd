"""Select the cases of a parametrised test that run by default."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def long_but(cases: Iterable[Any], *default: Any) -> list[Any]:
    """Return `cases` as parameters of a test; cases outside `default` run with --long only."""
    return [
        case if case in default else pytest.param(case, marks=pytest.mark.long) for case in cases
    ]
