"""Pins, conda environment, pyproject.toml and imports name the same packages."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy
import pytest
import yaml
from packaging.requirements import Requirement

from pipeline.provenance import environment
from pipeline.provenance.environment import PACKAGES, find_drift, normal_name, read_pins, versions

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def parse(named: list[str]) -> dict[str, Requirement]:
    requirements = map(Requirement, named)
    return {normal_name(item.name): item for item in requirements}


RUN = parse(PROJECT["dependencies"])
DEV = parse(PROJECT["optional-dependencies"]["dev"])
ONNX = parse(PROJECT["optional-dependencies"]["onnx"])
S3 = parse(PROJECT["optional-dependencies"]["s3"])
SERVER = parse(PROJECT["optional-dependencies"]["server"])
LONG = parse(PROJECT["optional-dependencies"]["long"])


@pytest.mark.parametrize("name", [*RUN, *DEV, *LONG])
def test_each_dependency_is_pinned_to_an_allowed_version(name: str) -> None:
    requirement = (LONG | DEV | RUN)[name]
    assert requirement.specifier.contains(read_pins()[name])


def test_packages_of_an_extra_are_installed_for_the_tests() -> None:
    assert set(ONNX) <= set(DEV)
    assert set(S3 | SERVER) <= set(LONG)


def test_conda_environment_has_the_same_packages_and_pins() -> None:
    listed = yaml.safe_load((ROOT / "envs/pipeline.yaml").read_text())["dependencies"]
    packages = dict(line.split("==") for line in listed[-1]["pip"])
    assert packages == {name: read_pins()[name] for name in RUN | ONNX}
    (python,) = (line.split("=")[1] for line in listed[:-1] if line.startswith("python="))
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(python)


def test_other_lines_of_the_pin_file_are_ignored(tmp_path: Path) -> None:
    """Such as the package index of torch for a GPU."""
    path = tmp_path / "constraints.txt"
    assert read_pins(path) == {}  # a missing file has no pins
    path.write_text("--extra-index-url https://example.org/cu130\n# mine\nTorch==2.14.1 ; x\n")
    assert read_pins(path) == {"torch": "2.14.1"}


def imported(folder: Path) -> Iterator[str]:
    """Yield the top-level names of all imports in the sources below `folder`."""
    for source in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.split(".")[0]


@cache
def packages() -> Mapping[str, list[str]]:
    """Return the installed distributions by import name."""
    return metadata.packages_distributions()


@pytest.mark.parametrize(
    ("folder", "declared"), [("pipeline", RUN | ONNX | S3 | SERVER), ("benchmarks", RUN | DEV)]
)
def test_imported_packages_are_declared(folder: str, declared: dict[str, Requirement]) -> None:
    own = {"pipeline", "benchmarks"}
    others = set(imported(ROOT / folder)) - set(sys.stdlib_module_names) - own
    distributions = packages()
    assert "torch" in others
    for name in others:
        packaged = distributions.get(name, [name])  # an extra may be missing
        assert {normal_name(package) for package in packaged} & set(declared), name


def test_version_of_each_dependency_is_recorded() -> None:
    assert set(PACKAGES) == set(RUN)
    assert set(versions()) == set(RUN)
    assert versions()["numpy"] == numpy.__version__


def test_drift_lists_installed_versions_that_differ_from_pins() -> None:
    installed = {"same": "1.0", "built": "2.0+cu130", "newer": "3.1", "missing": None, "free": "1"}
    pinned = {"same": "1.0", "built": "2.0", "newer": "3.0", "missing": "1.0"}
    assert find_drift(installed, pinned) == {"newer": ("3.0", "3.1")}


def test_drift_gives_one_warning(tmp_path, monkeypatch, capsys) -> None:
    pins = tmp_path / "constraints.txt"
    pins.write_text(f"numpy==0.1\nTorch==0.2\npandas=={versions()['pandas']}\n")
    monkeypatch.setattr(environment, "read_pins", lambda: read_pins(pins))
    environment.warn_of_drift()
    (line,) = capsys.readouterr().err.splitlines()
    assert f"numpy {numpy.__version__} (pinned: 0.1)" in line
    assert "(pinned: 0.2)" in line
    assert "pandas" not in line
    assert "pip install -c envs/constraints.txt" in line


def test_no_drift_gives_no_warning(monkeypatch, capsys) -> None:
    monkeypatch.setattr(environment, "read_pins", lambda: {"numpy": numpy.__version__})
    environment.warn_of_drift()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("libraries", "expected"),
    [
        ("numpy", "numpy.show_config(mode='dicts')['SIMD Extensions']['found'][-1]"),
        ("numpy, torch", "torch.backends.cpu.get_cpu_capability()"),  # may be set to use less
    ],
)
def test_the_instruction_set_is_that_of_the_library(libraries: str, expected: str) -> None:
    code = f"""
import {libraries}
from pipeline.provenance.environment import current_environment
assert current_environment()["cpu"] == {expected}
"""
    subprocess.run([sys.executable, "-c", code], check=True)
