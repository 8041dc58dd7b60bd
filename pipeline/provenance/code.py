"""Hash the code that a stage's result depends on, and the settings of a run."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pipeline import ROOT
from pipeline.files import atomic_file
from pipeline.provenance import canonical
from pipeline.provenance.canonical import canonical_form

PACKAGE = "pipeline"
IGNORED = (
    *("errors", "launcher", "provenance"),
    *("data.checks", "data.trainable", "training.interruption"),
    *("options.tracking", "tracking.live"),
)
"""Modules and packages that no result depends on: messages, launcher, records, checks, signals,
live tracking."""
_IGNORED = tuple(f"{PACKAGE}.{name}." for name in IGNORED)
STORED = f"{PACKAGE}/__pycache__/code.json"
"""Summaries of the modules, which take seconds to make: as Python stores their bytecode."""


@cache
def _source(module: str) -> Path | None:
    path = ROOT / module.replace(".", "/")
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


class _Summary(NamedTuple):
    """What the hash of a stage needs of a module."""

    hash: str
    """SHA-256 of its canonical form."""
    imported: list[str]
    """Candidate names of the package's modules that it imports anywhere."""


@cache
def _stored() -> dict[str, list[Any]]:
    """Return the summaries that earlier processes made, by the hash of rules and source."""
    try:
        stored: dict[str, list[Any]] = json.loads((ROOT / STORED).read_text())
    except (OSError, ValueError):
        return {}
    return stored


@cache
def _rules() -> bytes:
    """Return the source of the code that makes summaries."""
    return b"".join(Path(file).read_bytes() for file in (__file__, canonical.__file__))


@cache
def _summarise(module: str) -> _Summary:
    path = _source(module)
    if path is None:
        raise ModuleNotFoundError(f"{module}: no such module in {ROOT}")
    source = path.read_bytes()
    key = hashlib.sha256(_rules() + source).hexdigest()
    if key not in _stored():
        tree = ast.parse(source)
        form = hashlib.sha256(canonical_form(tree).encode()).hexdigest()
        _stored()[key] = [form, sorted(set(_imported_names(tree)))]
    return _Summary(*_stored()[key])


def _store() -> None:
    """Keep the summaries for later processes; a folder that is read-only is no error."""
    path = ROOT / STORED
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        with atomic_file(path) as partial:
            partial.write_text(json.dumps(_stored()))


def _imports(module: str) -> Iterator[str]:
    """Yield the modules of the package that `module` imports anywhere, without `IGNORED`."""
    return (name for name in _summarise(module).imported if _source(name))


def _imported_names(tree: ast.Module) -> Iterator[str]:
    """Yield candidate module names: `from a import b` may import a or a.b."""
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        own = (name for name in names if name.split(".")[0] == PACKAGE)
        yield from (name for name in own if not is_ignored(name))


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all statements in `node` that run, recursively; expressions contain no imports."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    for field in ("body", "handlers", "cases", "orelse", "finalbody"):
        for child in getattr(node, field, ()):
            yield child
            yield from _statements(child)


def is_ignored(module: str) -> bool:
    """Return whether `module` is in `IGNORED` or in a package of it."""
    return f"{module}.".startswith(_IGNORED)


def required_modules(module: str) -> list[str]:
    """Return `module` and its imports of the package, recursively, without `IGNORED`, sorted."""
    found, todo = set[str](), [module]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(_imports(name))
    return sorted(found)


@cache
def code_hash(module: str) -> str:
    """Return the SHA-256 of the canonical form of `required_modules`.

    Comments, docstrings, layout and messages do not affect it (see `canonical_form`), nor does the
    Python version.
    """
    known = len(_stored())
    digest = hashlib.sha256()
    for name in required_modules(module):
        digest.update(f"{name}\0{_summarise(name).hash}\n".encode())
    if len(_stored()) > known:
        _store()
    return digest.hexdigest()


def fingerprint(values: dict[str, Any]) -> str:
    """Return the SHA-256 of a run's settings (JSON values); a checkpoint is resumed only by it."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
