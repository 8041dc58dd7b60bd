"""Read images.csv, the table of a user's own images, as spreadsheets and scripts write it."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.data.datasets.base import Label, LabelledImage
from pipeline.data.names import JUNK, SPLITS, SUFFIXES, image_format, same_name
from pipeline.data.numbering import parse_integer
from pipeline.errors import InputError, some, warn

TABLE = "images.csv"
REQUIRED = ("path", "id", "split")
CAMERA = "camera"
_SEPARATORS = ",;\t"


class _Row(NamedTuple):
    """The values of a line by column, or the problem with it."""

    line: int
    values: Mapping[str, str]
    problem: str | None


def read_table(folder: Path) -> list[LabelledImage]:
    """Read images.csv: columns path, id, camera and split, in any order and beside others.

    Separators are commas, semicolons or tabs; ids and cameras may be any text; paths may have a
    common prefix. Without a camera column each image gets its own camera, with a warning. Raises
    InputError that names every invalid line.
    """
    columns, rows = _read_rows(folder / TABLE)
    files = _Files(folder, [row.values["path"] for row in rows if row.problem is None])
    images: dict[str, dict[str, tuple[int, LabelledImage]]] = {}
    problems: list[str] = []
    for row in rows:
        problem = row.problem or _problem(row.values, files)
        if problem is None:
            image = _label(row.values, files)
            earlier = images.setdefault(image.path, {})
            problem = _contradiction(image, earlier)
            earlier.setdefault(image.split, (row.line, image))
        if problem:
            problems.append(f"line {row.line}: {problem}")
    if problems:
        raise InputError(
            f"{TABLE}: {len(problems)} lines are invalid:\n  " + some(problems, "\n  ")
        )
    found = [image for splits in images.values() for _, image in splits.values()]
    return found if CAMERA in columns else _number_cameras(found)


def _read_rows(path: Path) -> tuple[list[str], list[_Row]]:
    """Read the columns and non-empty lines; the first line decides the separator."""
    text = _read_text(path)
    header = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(_SEPARATORS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        stripped = ((reader.line_num, [value.strip() for value in row]) for row in reader)
        lines = [(line, values) for line, values in stripped if any(values)]
    except csv.Error as error:
        raise InputError(
            f"{TABLE}: line {reader.line_num}: expected CSV, found {error}: correct the line"
        ) from None
    columns = [name.lower() for name in lines[0][1]] if lines else []
    known = [name for name in columns if name in (*REQUIRED, CAMERA)]
    if len(set(known)) < len(known) or not set(REQUIRED) <= set(known):
        raise InputError(
            f"{TABLE}: expected the columns {', '.join((*REQUIRED, CAMERA))} ({CAMERA} is "
            f"optional), found {', '.join(columns) or 'none'}: correct the first line"
        )
    rows = [_row(line, columns, values) for line, values in lines[1:]]
    return columns, rows


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise InputError(
            f"{TABLE}: line {line}: expected text in UTF-8, found other bytes: save it as CSV UTF-8"
        ) from None


def _row(line: int, columns: list[str], values: list[str]) -> _Row:
    found = {
        name: unicodedata.normalize("NFC", value)
        for name, value in zip(columns, values, strict=False)
    }
    short = not {*REQUIRED, CAMERA} & set(columns) <= set(found)
    invalid = short or any(values[len(columns) :])
    problem = f"expected {len(columns)} values, found {len(values)}" if invalid else None
    return _Row(line, found, problem)


class _Files:
    """Finds the files of the table's folder by the paths in the table."""

    def __init__(self, folder: Path, paths: Iterable[str]) -> None:
        """Guess the common prefix from `paths`, the paths of the whole table."""
        self._folder = folder
        names = (
            path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
        )
        self._names = {same_name(name): name for name in names}
        hits: Counter[PurePosixPath] = Counter()
        for path in {_pure(path) for path in paths}:
            for prefix in path.parents:
                hits[prefix] += self._find(path.relative_to(prefix)) is not None
        shortest_first = sorted(hits, key=lambda prefix: (len(prefix.parts), str(prefix)))
        self._prefix = max(shortest_first, key=hits.__getitem__, default=PurePosixPath())

    def find(self, path: str) -> str | None:
        """Return the file's path relative to the folder; None if it is missing."""
        pure = _pure(path)
        below = pure.relative_to(self._prefix) if pure.is_relative_to(self._prefix) else pure
        return self._find(pure) or self._find(below)

    def format(self, name: str) -> str | None:
        """Return the image format by the file's content."""
        return image_format(self._folder / name)

    def _find(self, path: PurePosixPath) -> str | None:
        return self._names.get(same_name(path.as_posix()))


def _pure(path: str) -> PurePosixPath:
    return PurePosixPath(path.replace("\\", "/"))


def _problem(values: Mapping[str, str], files: _Files) -> str | None:
    """Return the problem with the values of a line, or None."""
    if values["split"].lower() not in SPLITS:
        return f"expected a split of {', '.join(SPLITS)}, found {values['split']!r}"
    for column, least in (("id", JUNK), (CAMERA, 0)):
        value = values.get(column, "0")
        number = parse_integer(value)
        if not value or (number is not None and number < least):
            return f"expected a name or a number from {least} as {column}, found {value!r}"
    name = files.find(values["path"])
    if name is None:
        return f"expected an image below the table's folder, found {values['path']!r}"
    if PurePosixPath(name).suffix.lower().lstrip(".") not in SUFFIXES:
        return (
            f"expected a name that ends in one of {', '.join(sorted(SUFFIXES))}, found {name!r} "
            f"(by its content {files.format(name) or 'no image'}): rename or convert it"
        )
    return None


def _label(values: Mapping[str, str], files: _Files) -> LabelledImage:
    name = files.find(values["path"])
    assert name is not None  # `_problem` has found it
    return LabelledImage(name, values["split"].lower(), Label(values["id"], values.get(CAMERA, 0)))


def _contradiction(
    image: LabelledImage, earlier: Mapping[str, tuple[int, LabelledImage]]
) -> str | None:
    """Return how an image contradicts the `earlier` lines of its file, by split; or None."""
    for split, (line, other) in earlier.items():
        if split == image.split:
            return f"found {image.path!r} twice, first on line {line}: remove one line"
        if "train" in (split, image.split):
            return (
                f"expected no training image in the test set, found {image.path!r} in "
                f"{image.split}, and on line {line} in {split}"
            )
        if other.label != image.label:
            return f"expected the id and camera of line {line}, found others for {image.path!r}"
    return None


def _number_cameras(images: list[LabelledImage]) -> list[LabelledImage]:
    """Give each image its own camera."""
    warn(f"{TABLE}: found no column {CAMERA}: every image counts as its own camera")
    paths = sorted({image.path for image in images})
    cameras = {path: number for number, path in enumerate(paths, start=1)}
    return [
        image._replace(label=image.label._replace(camera=cameras[image.path])) for image in images
    ]
