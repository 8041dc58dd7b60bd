"""What code a stage is made of, and what decides its result: the hashes that tell them apart."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "pipeline"
BESIDE = (f"{PACKAGE}.origin", f"{PACKAGE}.lineage")
"""They record where results come from and decide none: their edits make nothing anew."""


def _source(module: str) -> Path | None:
    path = ROOT / module.replace(".", "/")
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


@cache
def _imports(module: str) -> frozenset[str]:
    """Modules of the package that `module` imports, anywhere in its source."""
    source = _source(module)
    if source is None:
        raise ModuleNotFoundError(f"{module}: no such module in {ROOT}")
    return frozenset(
        name for name in _imported_names(ast.parse(source.read_bytes())) if _source(name)
    )


def _imported_names(tree: ast.Module) -> Iterator[str]:
    """Absolute names of the package but for `BESIDE`; `from a import b` may name a or a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        own = (name for name in names if name.split(".")[0] == PACKAGE)
        yield from (name for name in own if not name.startswith(BESIDE))


def source_files(module: str) -> list[Path]:
    """Sources of the package that `module` is made of: its own and all it imports, sorted."""
    found, todo = set[str](), [module]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(_imports(name))
    return sorted(source for name in found if (source := _source(name)))


@cache
def code_hash(module: str) -> str:
    """SHA-256 over the sources that `module` is made of, names and bytes: a touch changes none."""
    digest = hashlib.sha256()
    for source in source_files(module):
        digest.update(f"{source.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()


def fingerprint(values: dict[str, Any]) -> str:
    """SHA-256 of what decides a run's result (JSON values): a state of another run does not fit."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
