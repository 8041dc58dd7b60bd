"""Files held against the hashes that were recorded of them, as a tree of what was made of what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pipeline.data.archive import archive_hash
from pipeline.errors import SHOWN

OK = "ok"
CHANGED = "CHANGED"
MISSING = "MISSING"
GONE = "gone"
"""A source that is not there any more: its recorded hash stands."""
NO_HASH = "no hash"
"""Nothing was recorded of it to hold it against."""
BROKEN = "BROKEN"
"""A record that cannot be read, or lacks what it should say."""
BAD = (CHANGED, MISSING, BROKEN)


class Link(NamedTuple):
    """A file or folder of the chain."""

    state: str
    name: str
    sha256: str | None = None
    """As recorded."""
    note: str = ""
    made_of: tuple[Link, ...] = ()


def check(path: Path, recorded: str | None, source: bool = False) -> Link:
    """A file or folder against its recorded SHA-256; `source`: it may be gone."""
    if not path.exists():
        return Link(GONE if source else MISSING, str(path), recorded)
    if recorded is None:
        return Link(NO_HASH, str(path))
    return Link(OK if archive_hash(path) == recorded else CHANGED, str(path), recorded)


def check_all(folder: Path, recorded: Mapping[str, str], source: bool = False) -> Link:
    """Files by their names in `folder`: one link, made of those alone that are not as recorded."""
    if source and not folder.exists():
        return Link(GONE, str(folder), note=f"{len(recorded)} files")
    links = (check(folder / name, digest) for name, digest in recorded.items())
    bad = [link for link in links if link.state in BAD]
    if not bad:
        return Link(OK, str(folder), note=f"{len(recorded)} files")
    note = f"{len(bad)} of {len(recorded)} files are not as recorded"
    return Link(CHANGED, str(folder), note=note, made_of=tuple(bad[:SHOWN]))


def walk(links: tuple[Link, ...]) -> Iterator[Link]:
    """All links of the trees, each once, before what it is made of."""
    found = dict.fromkeys(links)
    for link in links:
        found |= dict.fromkeys(walk(link.made_of))
    return iter(found)


def bad_files(links: tuple[Link, ...]) -> list[Link]:
    """The links that are not as recorded; of a folder, its files."""
    bad = [link for link in walk(links) if link.state in BAD]
    return [link for link in bad if not any(part in bad for part in link.made_of)]


def draw(links: tuple[Link, ...], depth: int = 0, drawn: set[Link] | None = None) -> Iterator[str]:
    """Lines of state, recorded hash and name, indented below what was made of it.

    What a link is made of is drawn where it stands first.
    """
    drawn = set() if drawn is None else drawn
    for link in links:
        known = link in drawn and link.made_of
        notes = [note for note in (link.note, "as above" if known else "") if note]
        note = f" ({'; '.join(notes)})" if notes else ""
        yield f"{link.state:8}{link.sha256 or '-':65}{'  ' * depth}{link.name}{note}"
        if not known:
            drawn.add(link)
            yield from draw(link.made_of, depth + 1, drawn)
