"""Numbers for the people and cameras of a dataset that names them."""

from __future__ import annotations

import re

from pipeline.data.datasets.base import Label, Listed
from pipeline.data.names import DISTRACTOR, JUNK

_WHOLE = re.compile(r"(-?\d{1,18})(?:\.0+)?", re.ASCII)  # tables with gaps have 17.0 for 17
Numbers = dict[str, int]


def whole_number(text: str) -> int | None:
    """The number that `text` is, if it is a whole one of at most 18 digits."""
    match = _WHOLE.fullmatch(text)
    return int(match[1]) if match else None


def number_labels(files: list[Listed]) -> tuple[list[Listed], dict[str, Numbers]]:
    """The files with numbers for names, and the number of each name, by `identity` and `camera`.

    Where all identities are whole numbers they stay. Otherwise all are names, numbered from 1 in
    the order of their text; -1 (junk) and 0 (distractors) keep their meaning. The same holds for
    cameras, but for these two.
    """
    identities = _numbers({file.label.identity for file in files}, (JUNK, DISTRACTOR))
    cameras = _numbers({file.label.camera for file in files}, ())
    numbered = [
        file._replace(label=Label(identities[file.label.identity], cameras[file.label.camera]))
        for file in files
    ]
    found = {"identity": identities, "camera": cameras}
    return numbered, {
        kind: {str(label): numbers[label] for label in sorted(numbers, key=str)}
        for kind, numbers in found.items()
        if any(isinstance(label, str) and whole_number(label) is None for label in numbers)
    }


def _numbers(labels: set[int | str], kept: tuple[int, ...]) -> dict[int | str, int]:
    # 7 and 007 are the same, as numbers and as names
    values = {label: _value(label) for label in labels}
    if all(isinstance(value, int) for value in values.values()):
        return {label: int(value) for label, value in values.items()}
    names = sorted({str(value) for value in values.values() if value not in kept})
    rank = {name: number for number, name in enumerate(names, start=1)}
    return {
        label: int(value) if value in kept else rank[str(value)] for label, value in values.items()
    }


def _value(label: int | str) -> int | str:
    if isinstance(label, int):
        return label
    number = whole_number(label)
    return label if number is None else number
