"""Describe a dataset for ingest: its layouts, published counts and terms of use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from pipeline.data.names import SUFFIXES, image_format
from pipeline.errors import InputError, some, warn
from pipeline.options.data import SplitCounts

Severity = Literal["error", "warn"]
"""How to report a failed dataset check."""
IMAGE = rf"(?:{'|'.join(sorted(SUFFIXES))})"
"""Regular expression for the suffix of an image file."""


class Label(NamedTuple):
    """Identity and camera of an image: numbers, or names that ingest numbers."""

    identity: int | str
    camera: int | str


class LabelledImage(NamedTuple):
    """An image of a dataset; `path` is relative to the layout's folder, with forward slashes."""

    path: str
    split: str
    label: Label


class Part(NamedTuple):
    """A folder whose images, at any depth, belong to one split."""

    split: str
    folder: str
    label: Callable[[PurePosixPath], Label | None]
    """Parses a path relative to the folder; None for a name of another form."""


class Layout(NamedTuple):
    """One arrangement of a dataset's files."""

    names: tuple[str, ...]
    """The files and folders that identify the layout, relative to its top folder."""
    read: Callable[[Path], list[LabelledImage]]
    """Lists all images; InputError for names that do not parse and for missing files."""


@dataclass(frozen=True)
class Dataset:
    """Layouts, published counts and terms of use of a dataset."""

    title: str
    """Includes the protocol, if there are several."""
    layouts: tuple[Layout, ...]
    archive: str = "a folder or archive of your own"
    """The file that its authors publish."""
    advice: str = "give the file that its authors publish"
    """What to do if the archive is another file."""
    terms: str = ""
    """Source and terms of use, printed by each ingest."""
    counts: Mapping[str, SplitCounts] = field(default_factory=dict)
    """Published counts by split, without junk; no train split: for testing only. Empty: any."""
    cameras: frozenset[int] = frozenset()
    """All cameras; empty: any."""
    reported: Mapping[str, str] = field(default_factory=dict)
    """Hashes of the archive by algorithm, as third parties report them."""
    select: Callable[[Path, Path, Severity], None] | None = None
    """Selects and rearranges images by the lists of names that its authors publish."""

    @property
    def test_only(self) -> bool:
        """Whether there are no training images."""
        return bool(self.counts) and "train" not in self.counts

    def missing_archive(self, path: str) -> str:
        """Return the error message for a missing archive at `path`."""
        return (
            f"{path}: expected {self.archive} ({self.title}), found no such file: put it there or "
            f"correct the path. {self.terms}"
        ).rstrip()


def counts(**splits: tuple[int, int]) -> dict[str, SplitCounts]:
    """Return counts by split, from (identities, images)."""
    return {name: SplitCounts(identities=i, images=n) for name, (i, n) in splits.items()}


def folders(example: str, *parts: Part, optional: Sequence[Part] = ()) -> Layout:
    """Return a layout of folders with labels in the file names, which look like `example`.

    The folders of `parts` identify it; those of `optional` may be missing.
    """
    names = tuple(part.folder for part in parts)
    return Layout(names, partial(_read_parts, example, (*parts, *optional)))


def label_by(pattern: str, camera: int) -> Callable[[PurePosixPath], Label | None]:
    """Return a parser of paths relative to a part: the groups are the identity, `camera` is fixed.

    If several groups match, they must be the same number.
    """
    form = re.compile(pattern, re.ASCII | re.IGNORECASE)

    def label(path: PurePosixPath) -> Label | None:
        match = form.fullmatch(str(path))
        numbers = {int(text) for text in match.groups() if text} if match else set()
        return Label(numbers.pop(), camera) if len(numbers) == 1 else None

    return label


def _read_parts(example: str, parts: tuple[Part, ...], folder: Path) -> list[LabelledImage]:
    images: list[LabelledImage] = []
    unparsed: list[str] = []
    for part in parts:
        files = (path for path in (folder / part.folder).rglob("*") if not path.is_dir())
        for path in sorted(files):
            name = path.relative_to(folder).as_posix()
            label = part.label(PurePosixPath(path.relative_to(folder / part.folder).as_posix()))
            if label is None:
                unparsed.append(name)
            else:
                images.append(LabelledImage(name, part.split, label))
    if misnamed := [text for name in unparsed if (text := _describe_image(folder, name))]:
        raise InputError(
            f"expected images named like {example}, found {len(misnamed)} others: "
            f"{some(misnamed)}: rename or remove them"
        )
    return images


def _describe_image(folder: Path, name: str) -> str | None:
    """Return the name of an image, with its format if the suffix does not say it; else None."""
    if PurePosixPath(name).suffix.lower().lstrip(".") in SUFFIXES:
        return name
    found = image_format(folder / name)
    return f"{name} (by its content {found})" if found else None


def report_problems(problems: Sequence[str], severity: Severity) -> None:
    """Raise InputError with all `problems` or, with `severity` warn, warn of each."""
    if problems and severity == "error":
        advice = "set data.checks to warn if the dataset was changed on purpose"
        raise InputError(f"{'; '.join(problems)}: {advice}")
    for problem in problems:
        warn(problem)


def find_layout(folder: Path, dataset: Dataset) -> tuple[Path, Layout]:
    """Find the top folder of the dataset and its layout, in `folder` or one level below.

    The first layout that fits is returned. Raises InputError if no folder or several fit.
    """
    layouts = dataset.layouts
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir())
    found = _fitting([folder], layouts) or _fitting(subfolders, layouts)
    if len(found) != 1:
        expected = " or ".join(", ".join(layout.names) for layout in layouts)
        top = some(sorted(path.name for path in folder.iterdir())) or "nothing"
        several = f", {len(found)} times" if found else ""
        raise InputError(
            f"expected {expected}, at the top or in one folder, found {top}{several}: "
            + dataset.advice
        )
    return next(iter(found.items()))


def _fitting(tops: Sequence[Path], layouts: tuple[Layout, ...]) -> dict[Path, Layout]:
    return {
        top: layout
        for top in tops
        for layout in reversed(layouts)  # the first one that fits is stored last
        if all((top / name).exists() for name in layout.names)
    }
