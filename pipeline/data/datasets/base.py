"""What a dataset is to ingest: its layouts, its published facts and the terms it comes under."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from pipeline.data.names import SUFFIXES, image_kind
from pipeline.errors import InputError, some, warn
from pipeline.options.data import SplitCounts

Severity = Literal["error", "warn"]
"""What becomes of a fact that does not hold."""
IMAGE = rf"(?:{'|'.join(sorted(SUFFIXES))})"
"""A regular expression for the suffix of an image's name."""


class Label(NamedTuple):
    """Who is in an image, and which camera saw them: numbers, or names that ingest numbers."""

    identity: int | str
    camera: int | str


class Listed(NamedTuple):
    """An image of a dataset; `path` is below the layout's folder, with forward slashes."""

    path: str
    split: str
    label: Label


class Part(NamedTuple):
    """A folder whose images, at any depth, belong to one split."""

    split: str
    folder: str
    label: Callable[[PurePosixPath], Label | None]
    """The label of a path below the folder; None for a name of another form."""


class Layout(NamedTuple):
    """One way in which a dataset is handed out."""

    names: tuple[str, ...]
    """The files and folders it is known by, below its top folder."""
    read: Callable[[Path], list[Listed]]
    """All its images; InputError for names that do not parse and for files that are missing."""


@dataclass(frozen=True)
class Dataset:
    """The facts about a dataset."""

    title: str
    """With the protocol, where there is more than one."""
    layouts: tuple[Layout, ...]
    archive: str = "a folder or archive of your own"
    """The file as its authors hand it out."""
    advice: str = "give what its authors hand out"
    """What to do about an archive that is another one."""
    terms: str = ""
    """Under which terms, and from whom; said at each ingest."""
    counts: Mapping[str, SplitCounts] = field(default_factory=dict)
    """Of the whole dataset, junk left out; no train split: it is for testing only. Empty: any."""
    cameras: frozenset[int] = frozenset()
    """Every camera; empty: any."""
    reported: Mapping[str, str] = field(default_factory=dict)
    """Hashes of the archive by algorithm, as third parties report them."""
    select: Callable[[Path, Path, Severity], None] | None = None
    """Rearranges a layout's folder by lists of names that the authors publish."""

    @property
    def test_only(self) -> bool:
        """Whether it has nothing to train on."""
        return bool(self.counts) and "train" not in self.counts

    def absent(self, path: str) -> str:
        """What to tell a user who has no archive at `path`."""
        return (
            f"{path}: expected {self.archive}, for {self.title}; found nothing there: put it there "
            f"or give the path that it has. {self.terms}"
        ).rstrip()


def counts(**splits: tuple[int, int]) -> dict[str, SplitCounts]:
    """Counts by split, from (identities, images)."""
    return {name: SplitCounts(identities=i, images=n) for name, (i, n) in splits.items()}


def folders(example: str, *parts: Part, optional: Sequence[Part] = ()) -> Layout:
    """A layout that says everything by folders and by file names like `example`.

    It is known by the folders of `parts`; those of `optional` may be missing.
    """
    names = tuple(part.folder for part in parts)
    return Layout(names, partial(_read_parts, example, (*parts, *optional)))


def label_by(pattern: str, camera: int) -> Callable[[PurePosixPath], Label | None]:
    """Labels by a pattern of the path below a part: group 1 is the identity, the camera is fixed.

    Where the pattern has a second group, it must be the same number; a group may be missing.
    """
    form = re.compile(pattern, re.ASCII | re.IGNORECASE)

    def label(path: PurePosixPath) -> Label | None:
        match = form.fullmatch(str(path))
        numbers = {int(text) for text in match.groups() if text} if match else set()
        return Label(numbers.pop(), camera) if len(numbers) == 1 else None

    return label


def _read_parts(example: str, parts: tuple[Part, ...], folder: Path) -> list[Listed]:
    images: list[Listed] = []
    others: list[str] = []
    for part in parts:
        files = (path for path in (folder / part.folder).rglob("*") if not path.is_dir())
        for path in sorted(files):
            name = path.relative_to(folder).as_posix()
            label = part.label(PurePosixPath(path.relative_to(folder / part.folder).as_posix()))
            if label is None:
                others.append(name)
            else:
                images.append(Listed(name, part.split, label))
    if wrong := [text for name in others if (text := _misnamed(folder, name))]:
        raise InputError(
            f"expected images named like {example}, found {len(wrong)} others: {some(wrong)}: "
            "rename or remove them"
        )
    return images


def _misnamed(folder: Path, name: str) -> str | None:
    """How to speak of a file whose name does not parse; None where it is no image."""
    if PurePosixPath(name).suffix.lower().lstrip(".") in SUFFIXES:
        return name
    kind = image_kind(folder / name)
    return f"{name} (by its content {kind})" if kind else None


def complain(problems: Sequence[str], severity: Severity) -> None:
    """Raise InputError with all `problems` or, with `severity` warn, say each on stderr."""
    if problems and severity == "error":
        advice = "set data.checks to warn if the dataset was changed on purpose"
        raise InputError(f"{'; '.join(problems)}: {advice}")
    for problem in problems:
        warn(problem)


def find_layout(folder: Path, dataset: Dataset) -> tuple[Path, Layout]:
    """Where a layout begins, at the top of `folder` or else in one folder of it, and which it is.

    The first layout that fits a place counts. Raises InputError when no place or several fit.
    """
    layouts = dataset.layouts
    below = sorted(path for path in folder.iterdir() if path.is_dir())
    found = _fitting([folder], layouts) or _fitting(below, layouts)
    if len(found) != 1:
        wanted = " or ".join(", ".join(layout.names) for layout in layouts)
        top = some(sorted(path.name for path in folder.iterdir())) or "nothing"
        several = f", {len(found)} times" if found else ""
        raise InputError(
            f"expected the folders {wanted}, at the top or in one folder, found {top}{several}: "
            + dataset.advice
        )
    return next(iter(found.items()))


def _fitting(places: Sequence[Path], layouts: tuple[Layout, ...]) -> dict[Path, Layout]:
    return {
        place: layout
        for place in places
        for layout in reversed(layouts)  # of those that fit, the first one stays
        if all((place / name).exists() for name in layout.names)
    }
