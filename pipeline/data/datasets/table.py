"""The table beside a user's own images: images.csv, as spreadsheets and scripts write it."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.data.datasets.base import Label, Listed
from pipeline.data.names import JUNK, SPLITS, SUFFIXES, image_kind, same_name
from pipeline.data.numbering import whole_number
from pipeline.errors import InputError, some, warn

TABLE = "images.csv"
NEEDED = ("path", "id", "split")
CAMERA = "camera"
_SEPARATORS = ",;\t"


class _Row(NamedTuple):
    """A line of the table."""

    line: int
    values: Mapping[str, str]
    problem: str | None


def read_table(folder: Path) -> list[Listed]:
    """The images of images.csv: path, id, camera, split, in any order and beside other columns.

    Values are separated by commas, semicolons or tabs; ids and cameras may be any text; paths may
    begin with the folder that the table was written for. Without a camera column each image counts
    as its own camera, which is warned of. Raises InputError that names every line that is wrong.
    """
    columns, rows = _read_rows(folder / TABLE)
    files = _Files(folder, [row.values["path"] for row in rows if row.problem is None])
    images: dict[str, dict[str, tuple[int, Listed]]] = {}
    wrong: list[str] = []
    for row in rows:
        problem = row.problem or _problem(row.values, files)
        if problem is None:
            image = _listed(row.values, files)
            earlier = images.setdefault(image.path, {})
            problem = _contradiction(image, earlier)
            earlier.setdefault(image.split, (row.line, image))
        if problem:
            wrong.append(f"line {row.line}: {problem}")
    if wrong:
        raise InputError(f"{TABLE}: {len(wrong)} lines are wrong:\n  " + some(wrong, "\n  "))
    found = [image for splits in images.values() for _, image in splits.values()]
    return found if CAMERA in columns else _each_its_camera(found)


def _read_rows(path: Path) -> tuple[list[str], list[_Row]]:
    """The columns and the lines that hold anything; the separator is that of the first line."""
    text = _read_text(path)
    header = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(_SEPARATORS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        stripped = ((reader.line_num, [value.strip() for value in row]) for row in reader)
        lines = [(line, values) for line, values in stripped if any(values)]
    except csv.Error as error:
        raise InputError(f"{TABLE}: line {reader.line_num}: {error}") from None
    columns = [name.lower() for name in lines[0][1]] if lines else []
    known = [name for name in columns if name in (*NEEDED, CAMERA)]
    if len(set(known)) < len(known) or not set(NEEDED) <= set(known):
        raise InputError(
            f"{TABLE}: expected the columns {', '.join((*NEEDED, CAMERA))} (others may be there, "
            f"{CAMERA} may be missing), found {', '.join(columns) or 'none'}"
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
    short = not {*NEEDED, CAMERA} & set(columns) <= set(found)
    wrong = short or any(values[len(columns) :])
    problem = f"expected {len(columns)} values, found {len(values)}" if wrong else None
    return _Row(line, found, problem)


class _Files:
    """The files below the table's folder, by the paths that a table gives."""

    def __init__(self, folder: Path, paths: Iterable[str]) -> None:
        """`paths` are those of the whole table: most of them say which folder they begin with."""
        self._folder = folder
        names = (
            path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
        )
        self._names = {same_name(name): name for name in names}
        starts: Counter[PurePosixPath] = Counter()
        for path in {_pure(path) for path in paths}:
            for parent in path.parents:
                starts[parent] += self._find(path.relative_to(parent)) is not None
        shortest_first = sorted(starts, key=lambda start: (len(start.parts), str(start)))
        self._start = max(shortest_first, key=starts.__getitem__, default=PurePosixPath())

    def find(self, path: str) -> str | None:
        """The file's name below the folder."""
        pure = _pure(path)
        below = pure.relative_to(self._start) if pure.is_relative_to(self._start) else pure
        return self._find(pure) or self._find(below)

    def kind(self, name: str) -> str | None:
        """The image format that a file has by its content."""
        return image_kind(self._folder / name)

    def _find(self, path: PurePosixPath) -> str | None:
        return self._names.get(same_name(path.as_posix()))


def _pure(path: str) -> PurePosixPath:
    return PurePosixPath(path.replace("\\", "/"))


def _problem(values: Mapping[str, str], files: _Files) -> str | None:
    """What is wrong with the values of a line, or None."""
    if values["split"].lower() not in SPLITS:
        return f"expected a split of {', '.join(SPLITS)}, found {values['split']!r}"
    for column, least in (("id", JUNK), (CAMERA, 0)):
        value = values.get(column, "0")
        number = whole_number(value)
        if not value or (number is not None and number < least):
            return f"expected a name or a number from {least} as {column}, found {value!r}"
    name = files.find(values["path"])
    if name is None:
        return f"expected an image below the table's folder, found {values['path']!r}"
    if PurePosixPath(name).suffix.lower().lstrip(".") not in SUFFIXES:
        return (
            f"expected a name that ends in one of {', '.join(sorted(SUFFIXES))}, found {name!r} "
            f"(by its content {files.kind(name) or 'no image'}): rename or convert it"
        )
    return None


def _listed(values: Mapping[str, str], files: _Files) -> Listed:
    name = files.find(values["path"])
    assert name is not None  # `_problem` has found it
    return Listed(name, values["split"].lower(), Label(values["id"], values.get(CAMERA, 0)))


def _contradiction(image: Listed, earlier: Mapping[str, tuple[int, Listed]]) -> str | None:
    """What an earlier line says of the same file that this one must not."""
    for split, (line, other) in earlier.items():
        if split == image.split:
            return f"found it twice, first on line {line}: {image.path!r}"
        if "train" in (split, image.split):
            return (
                f"expected no training image in the test set, found {image.path!r} in "
                f"{image.split}, and on line {line} in {split}"
            )
        if other.label != image.label:
            return f"expected the id and camera of line {line}, found others for {image.path!r}"
    return None


def _each_its_camera(images: list[Listed]) -> list[Listed]:
    warn(f"{TABLE}: found no column {CAMERA}: every image counts as its own camera")
    paths = sorted({image.path for image in images})
    cameras = {path: number for number, path in enumerate(paths, start=1)}
    return [
        image._replace(label=image.label._replace(camera=cameras[image.path])) for image in images
    ]
