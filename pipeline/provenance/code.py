"""Hash the code that decides a stage's result, and the options that decide a run's."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pipeline import ROOT
from pipeline.provenance.meaning import meaning

PACKAGE = "pipeline"
PLUMBING = (
    *("errors", "launcher", "provenance"),
    *("data.checks", "data.trainable", "training.interruption"),
)
"""Modules and folders that decide no result: command line, messages, records, signals, checks."""
_PLUMBING = tuple(f"{PACKAGE}.{name}" for name in PLUMBING)


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
    """Modules of the package that `module` imports, anywhere in its source, without `PLUMBING`."""
    return frozenset(name for name in _imported_names(_parse(module)) if _source(name))


def _imported_names(tree: ast.Module) -> Iterator[str]:
    """Absolute names of the package; `from a import b` may name a or a.b."""
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        own = (name for name in names if name.split(".")[0] == PACKAGE)
        yield from (name for name in own if not is_plumbing(name))


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements inside `node`, nested ones too; expressions hold no imports."""
    for field in ("body", "handlers", "cases", "orelse", "finalbody"):
        for child in getattr(node, field, ()):
            yield child
            yield from _statements(child)


def is_plumbing(module: str) -> bool:
    """Whether `module` is one of `PLUMBING` or inside one."""
    return f"{module}.".startswith(tuple(f"{name}." for name in _PLUMBING))


def deciding_modules(module: str) -> list[str]:
    """`module` and all modules of the package that it imports, without `PLUMBING`, sorted."""
    found, todo = set[str](), [module]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(_imports(name))
    return sorted(found)


@cache
def _module_hash(module: str) -> str:
    return hashlib.sha256(meaning(_parse(module)).encode()).hexdigest()


@cache
def code_hash(module: str) -> str:
    """SHA-256 of what the code of `deciding_modules` means.

    Comments, docstrings, layout and the texts of messages do not change it (see `meaning`). It is
    the same for every Python version that the package supports.
    """
    digest = hashlib.sha256()
    for name in deciding_modules(module):
        digest.update(f"{name}\0{_module_hash(name)}\n".encode())
    return digest.hexdigest()


def fingerprint(values: dict[str, Any]) -> str:
    """SHA-256 of what decides a run's result (JSON values): a state of another run does not fit."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
