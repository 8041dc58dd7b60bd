"""Hash the code that a stage's result depends on, and the settings of a run."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pipeline import ROOT
from pipeline.provenance.canonical import canonical_form

PACKAGE = "pipeline"
IGNORED = (
    *("errors", "launcher", "provenance"),
    *("data.checks", "data.trainable", "training.interruption"),
)
"""Modules and packages that no result depends on: messages, launcher, records, checks, signals."""
_IGNORED = tuple(f"{PACKAGE}.{name}." for name in IGNORED)


def _source(module: str) -> Path | None:
    path = ROOT / module.replace(".", "/")
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


@cache
def _parse(module: str) -> ast.Module:
    source = _source(module)
    if source is None:
        raise ModuleNotFoundError(f"{module}: no such module in {ROOT}")
    return ast.parse(source.read_bytes())


@cache
def _imports(module: str) -> frozenset[str]:
    """Return the modules of the package that `module` imports anywhere, without `IGNORED`."""
    return frozenset(name for name in _imported_names(_parse(module)) if _source(name))


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
def _module_hash(module: str) -> str:
    return hashlib.sha256(canonical_form(_parse(module)).encode()).hexdigest()


@cache
def code_hash(module: str) -> str:
    """Return the SHA-256 of the canonical form of `required_modules`.

    Comments, docstrings, layout and messages do not affect it (see `canonical_form`), nor does the
    Python version.
    """
    digest = hashlib.sha256()
    for name in required_modules(module):
        digest.update(f"{name}\0{_module_hash(name)}\n".encode())
    return digest.hexdigest()


def fingerprint(values: dict[str, Any]) -> str:
    """Return the SHA-256 of a run's settings (JSON values); a checkpoint is resumed only by it."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
