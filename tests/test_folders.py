"""No folder of the package imports another that imports it, by whatever way round."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "pipeline"


def imported_folders(package: Path) -> dict[str, set[str]]:
    """Folders and modules at the top of `package`, and which others each imports anywhere."""
    found: dict[str, set[str]] = {}
    for path in package.rglob("*.py"):
        own = path.relative_to(package).parts[0].removesuffix(".py")
        names = [name for node in ast.walk(ast.parse(path.read_text())) for name in imports(node)]
        others = {name.split(".")[1] for name in names if name.startswith(f"{package.name}.")}
        found.setdefault(own, set()).update(others - {own})
    return found


def imports(node: ast.AST) -> list[str]:
    """Full names of what a statement imports."""
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def test_no_folders_import_in_a_circle() -> None:
    TopologicalSorter(imported_folders(PACKAGE)).prepare()


def test_a_circle_is_found_and_named(tmp_path: Path) -> None:
    package = tmp_path / "pipeline"
    for folder, text in {
        "data": "from pipeline.model import net",
        "model": "def late():\n    import pipeline.training.loop",
        "training": "from pipeline import data",
    }.items():
        (package / folder).mkdir(parents=True)
        (package / folder / "part.py").write_text(text)
    with pytest.raises(CycleError, match="cycle"):
        TopologicalSorter(imported_folders(package)).prepare()
