"""A stage's hash changes with the sources it is made of, and with nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.provenance import ROOT, code_hash, source_files


@pytest.fixture
def package(tmp_path):
    """A copy of this package's hashing beside a little stage that imports two levels deep."""
    folder = tmp_path / "pipeline"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "provenance.py").write_text((ROOT / "pipeline/provenance.py").read_text())
    (folder / "stage.py").write_text("from pipeline.inner import value\n")
    (folder / "inner.py").write_text(
        "def value():\n    from pipeline import deep\n    return deep\n"
    )
    (folder / "deep.py").write_text("x = 1\n")
    (folder / "other.py").write_text("x = 1\n")
    return folder


def stage_hash(package: Path) -> str:
    code = "from pipeline.provenance import code_hash; print(code_hash('pipeline.stage'))"
    environment = os.environ | {"PYTHONPATH": str(package.parent)}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=package.parent,
    ).stdout


def test_an_edit_of_an_imported_module_changes_the_hash_and_a_touch_does_not(package):
    before = stage_hash(package)
    os.utime(package / "deep.py", (1, 1))
    (package / "other.py").write_text("x = 2\n")
    assert stage_hash(package) == before
    (package / "deep.py").write_text("x = 2\n")
    assert stage_hash(package) != before


def test_imports_inside_functions_and_whole_modules_count():
    files = {path.relative_to(ROOT).as_posix() for path in source_files("pipeline.cli")}
    assert files == {"pipeline/cli.py", "pipeline/errors.py"}
    assert len(code_hash("pipeline.config")) == 64


def test_an_unknown_module_is_named():
    with pytest.raises(ModuleNotFoundError, match=r"pipeline\.nothing"):
        code_hash("pipeline.nothing")
