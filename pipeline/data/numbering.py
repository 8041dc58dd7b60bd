"""Number the identities and cameras of a dataset that gives them names."""

from __future__ import annotations

import re

from pipeline.data.datasets.base import Label, LabelledImage
from pipeline.data.names import DISTRACTOR, JUNK

_INTEGER = re.compile(r"(-?\d{1,18})(?:\.0+)?", re.ASCII)  # pandas writes 17.0 beside gaps
Numbers = dict[str, int]


def parse_integer(text: str) -> int | None:
    """Parse an integer of at most 18 digits; None for any other text."""
    match = _INTEGER.fullmatch(text)
    return int(match[1]) if match else None


def number_labels(
    images: list[LabelledImage],
) -> tuple[list[LabelledImage], dict[str, Numbers]]:
    """Replace names by numbers; also returns the number of each name, by `identity` and `camera`.

    If all identities are integers, they stay. Otherwise all are names, numbered from 1 in sorted
    order, but for -1 (junk) and 0 (distractors). Cameras likewise, without these exceptions.
    """
    identities = _number({image.label.identity for image in images}, (JUNK, DISTRACTOR))
    cameras = _number({image.label.camera for image in images}, ())
    numbered = [
        image._replace(label=Label(identities[image.label.identity], cameras[image.label.camera]))
        for image in images
    ]
    found = {"identity": identities, "camera": cameras}
    return numbered, {
        kind: {str(label): numbers[label] for label in sorted(numbers, key=str)}
        for kind, numbers in found.items()
        if any(isinstance(label, str) and parse_integer(label) is None for label in numbers)
    }


def _number(labels: set[int | str], reserved: tuple[int, ...]) -> dict[int | str, int]:
    # 7 and 007 are equal, as numbers and as names
    values = {label: _as_integer(label) for label in labels}
    if all(isinstance(value, int) for value in values.values()):
        return {label: int(value) for label, value in values.items()}
    names = sorted({str(value) for value in values.values() if value not in reserved})
    rank = {name: number for number, name in enumerate(names, start=1)}
    return {
        label: int(value) if value in reserved else rank[str(value)]
        for label, value in values.items()
    }


def _as_integer(label: int | str) -> int | str:
    """Return the integer that a label is; a name stays as it is."""
    if isinstance(label, int):
        return label
    number = parse_integer(label)
    return label if number is None else number
