"""The folders of the package have no import cycles."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "pipeline"


def imports(package: Path) -> dict[str, set[str]]:
    """Return the top-level folders and modules of `package`, with those that each imports."""
    found: dict[str, set[str]] = {}
    for path in package.rglob("*.py"):
        own = path.relative_to(package).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                start = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
                names = [f"{start}{alias.name}".split(".") for alias in node.names]
                others = {name[1] for name in names if name[0] == package.name}
                found.setdefault(own, set()).update(others - {own})
    return found


def test_folders_have_no_import_cycle() -> None:
    TopologicalSorter(imports(PACKAGE)).prepare()


def test_import_cycle_is_detected(tmp_path: Path) -> None:
    package = tmp_path / "pipeline"
    for folder, other in (("data", "model"), ("model", "training"), ("training", "data")):
        (package / folder).mkdir(parents=True)
        (package / folder / "part.py").write_text(f"def late():\n    import pipeline.{other}.x")
    with pytest.raises(CycleError, match="cycle"):
        TopologicalSorter(imports(package)).prepare()


def test_only_model_builders_import_the_options() -> None:
    modules = (PACKAGE / "model").glob("*.py")
    importing = {m.name for m in modules if "from pipeline.options" in m.read_text()}
    assert importing == {"build.py", "build_backbone.py"}
