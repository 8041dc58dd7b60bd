"""Files held against the hashes that were recorded of them, as a tree of what was made of what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.provenance.record import Contents, differing, digest

OK = "ok"
CHANGED = "CHANGED"
MISSING = "MISSING"
GONE = "gone"
"""A source that is not there any more: its recorded hash stands."""
BROKEN = "BROKEN"
"""A record that cannot be read, or was changed itself."""
BAD = (CHANGED, MISSING, BROKEN)
Key = tuple[str, str, str | None]


class Link(NamedTuple):
    """A file or folder of the chain."""

    state: str
    name: str
    sha256: str | None = None
    """As recorded."""
    note: str = ""
    inputs: tuple[Link, ...] = ()

    @property
    def key(self) -> Key:
        """What tells links apart: the same file is made of the same."""
        return self.state, self.name, self.sha256


def compare(path: Path, found: Contents, expected: Contents) -> Link:
    """What is there against what should be; of a folder, the files that differ are links too."""
    note = f"{len(expected)} files" if isinstance(expected, dict) else ""
    if found == expected:
        return Link(OK, str(path), digest(expected), note)
    names = differing(found, expected)
    files = tuple(Link(_state(name, found, expected), str(path / name)) for name in names)
    if files:
        note = f"{len(names)} of {note} are not as recorded"
    return Link(CHANGED, str(path), digest(expected), note, files)


def _state(name: str, found: Contents, expected: Contents) -> str:
    return MISSING if name not in found and name in expected else CHANGED


def walk(links: tuple[Link, ...]) -> Iterator[Link]:
    """All links of the trees, each once, before its inputs."""
    seen = set[Key]()
    todo = [*reversed(links)]
    while todo:
        link = todo.pop()
        if link.key not in seen:
            seen.add(link.key)
            yield link
            todo += reversed(link.inputs)


def bad_files(links: tuple[Link, ...]) -> list[Link]:
    """The links that are not as recorded; of a folder, its files."""
    bad = [link for link in walk(links) if link.state in BAD]
    return [link for link in bad if not any(f"{link.name}/" in part.name for part in link.inputs)]


def tree_lines(
    links: tuple[Link, ...], depth: int = 0, printed: set[Key] | None = None
) -> Iterator[str]:
    """Lines of state, recorded hash and name, indented below what was made of it.

    What is known of a link, and what it is made of, is printed where it stands first.
    """
    printed = set() if printed is None else printed
    for link in links:
        known = link.key in printed
        note = "as above" if known else link.note
        note = f" ({note})" if note else ""
        yield f"{link.state:8}{link.sha256 or '-':65}{'  ' * depth}{link.name}{note}"
        if not known:
            printed.add(link.key)
            yield from tree_lines(link.inputs, depth + 1, printed)
