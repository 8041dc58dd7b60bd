"""The error for users, warnings, and messages that several modules share."""

from __future__ import annotations

import sys
from collections.abc import Sequence

MAX_LISTED = 10
"""Number of values that a message lists at most."""


class InputError(Exception):
    """Invalid input; users see only the message, without a traceback.

    The message has four parts: what is wrong (file or key), found, expected, what to do.
    """


def warn(message: str) -> None:
    """Print a warning to stderr."""
    print(f"warning: {message}", file=sys.stderr)


def some(values: Sequence[object], separator: str = ", ") -> str:
    """Join the first MAX_LISTED values, followed by the number of the others."""
    listed = separator.join(str(value) for value in values[:MAX_LISTED])
    rest = len(values) - MAX_LISTED
    return f"{listed}{separator}and {rest} more" if rest > 0 else listed


def no_images(splits: Sequence[str]) -> str:
    """Return the message for a dataset without images in `splits`."""
    return (
        f"found no images of {some(splits)}, expected images of every split that is used: give a "
        "dataset without train as test, and one without query and gallery as data, with another "
        "one as test"
    )


def no_match(queries: int) -> str:
    """Return the message for queries that all lack a match."""
    return (
        f"none of the {queries} queries has a match under another camera in the gallery: check the "
        "identities and cameras (in your own table with a single camera, omit the column camera)"
    )


def too_few_identities(required: int, found: int) -> str:
    """Return the message for a training split with fewer identities than a batch."""
    return (
        f"training.identities: found {found} identities in the training split, expected at least "
        f"the {required} of a batch: lower training.identities"
    )
