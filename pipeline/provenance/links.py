"""A tree of results, their inputs and sources, each compared with its recorded hash."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.provenance.record import Contents, changed_files, digest

OK = "ok"
CHANGED = "CHANGED"
MISSING = "MISSING"
GONE = "gone"
"""A source that no longer exists; this is no error."""
BROKEN = "BROKEN"
"""A record that is unreadable or was changed."""
BAD = (CHANGED, MISSING, BROKEN)
Key = tuple[str, str, str | None]


class Link(NamedTuple):
    """A file or folder in the tree, with its inputs."""

    state: str
    name: str
    sha256: str | None = None
    """The recorded hash."""
    note: str = ""
    inputs: tuple[Link, ...] = ()

    @property
    def key(self) -> Key:
        """Identifies the link; links with the same key have the same inputs."""
        return self.state, self.name, self.sha256


def compare(path: Path, found: Contents, expected: Contents) -> Link:
    """Compare the contents of a path with the recorded ones; a folder links to changed files."""
    note = f"{len(expected)} files" if isinstance(expected, dict) else ""
    if found == expected:
        return Link(OK, str(path), digest(expected), note)
    names = changed_files(found, expected)
    files = tuple(Link(_state(name, found, expected), str(path / name)) for name in names)
    if files:
        note = f"{len(names)} of {note} differ from the record"
    return Link(CHANGED, str(path), digest(expected), note, files)


def _state(name: str, found: Contents, expected: Contents) -> str:
    return MISSING if name not in found and name in expected else CHANGED


def walk(links: tuple[Link, ...]) -> Iterator[Link]:
    """Yield all links of the trees in preorder, each once."""
    seen = set[Key]()
    todo = [*reversed(links)]
    while todo:
        link = todo.pop()
        if link.key not in seen:
            seen.add(link.key)
            yield link
            todo += reversed(link.inputs)


def bad_files(links: tuple[Link, ...]) -> list[Link]:
    """Return the links that differ from their records; for a folder, its files."""
    bad = [link for link in walk(links) if link.state in BAD]
    return [link for link in bad if not any(f"{link.name}/" in part.name for part in link.inputs)]


def tree_lines(
    links: tuple[Link, ...], depth: int = 0, printed: set[Key] | None = None
) -> Iterator[str]:
    """Yield a line per link: state, recorded hash and name, indented below its result.

    Repeated links have no note and no inputs.
    """
    printed = set() if printed is None else printed
    for link in links:
        repeated = link.key in printed
        note = "as above" if repeated else link.note
        note = f" ({note})" if note else ""
        yield f"{link.state:8}{link.sha256 or '-':65}{'  ' * depth}{link.name}{note}"
        if not repeated:
            printed.add(link.key)
            yield from tree_lines(link.inputs, depth + 1, printed)
