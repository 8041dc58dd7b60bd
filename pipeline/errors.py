"""The one error that users are meant to read, and how problems are said."""

from __future__ import annotations

import sys
from collections.abc import Sequence

SHOWN = 10
"""Of many values, a message names so many."""


class InputError(Exception):
    """Something given to the pipeline is wrong: the message is all that the user sees.

    It names the file or the key, says what was expected and what was found, and what to do.
    """


def warn(message: str) -> None:
    """Say loudly, on stderr, what looks wrong but does not stop the work."""
    print(f"warning: {message}", file=sys.stderr)


def some(values: Sequence[object], separator: str = ", ") -> str:
    """The first ten values, and how many more there are."""
    shown = separator.join(str(value) for value in values[:SHOWN])
    rest = len(values) - SHOWN
    return f"{shown}{separator}and {rest} more" if rest > 0 else shown


def no_images(splits: Sequence[str]) -> str:
    """Say that a dataset lacks splits that it is used for."""
    return (
        f"expected images of every split that is used, found none of {some(splits)}: a dataset "
        "without train can only be given as test, and one without query and gallery only as data, "
        "beside another one as test"
    )


def no_match(queries: int) -> str:
    """Say that no query can be ranked."""
    return (
        f"none of the {queries} queries has a match under another camera in the gallery: check the "
        "identities and cameras (in a table of one's own, leave out the column camera where there "
        "is one camera only)"
    )


def too_few_identities(needed: int, found: int) -> str:
    """Say that no batch can be filled."""
    return (
        f"training.identities: a batch takes {needed} identities, found {found} in the training "
        "split: lower it"
    )
