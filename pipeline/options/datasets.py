"""The sections `data` and `test` with one or several datasets, and `cross_domain`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag

from pipeline.options.base import Section
from pipeline.options.data import DataOptions


def _tag(value: Any) -> str:
    return MANY if isinstance(value, list | tuple) else ONE


def _unwrap(value: DataOptions | list[DataOptions]) -> DataOptions | list[DataOptions]:
    """Return the item of a list with one item."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


ONE, MANY = "<one>", "<many>"
"""Parts of pydantic's locations that tell a dataset from a list."""
Datasets = Annotated[
    Annotated[DataOptions, Tag(ONE)] | Annotated[list[DataOptions], Field(min_length=1), Tag(MANY)],
    Discriminator(_tag),
    AfterValidator(_unwrap),
]
"""A dataset or several; a list of one is the dataset itself."""


class CrossDomainOptions(Section):
    """Options of the cross-domain matrix, the target `cross_domain`."""

    joint: bool = True
    """Whether a row is trained on all datasets of `data` together, below those of each alone."""
