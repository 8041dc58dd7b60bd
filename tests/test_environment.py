"""The places that name packages agree: pins, conda environment and project."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    lines = (ROOT / "envs/constraints.txt").read_text().split()
    return {normal(name): version for name, version in (line.split("==") for line in lines)}


def declared(key: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = project["dependencies"] if key == "run" else project["optional-dependencies"][key]
    return {normal(re.split("[><=]", name)[0]) for name in named}


def test_every_package_that_the_project_names_is_pinned():
    assert declared("run") | declared("dev") <= set(pins())


def test_the_conda_environment_has_the_same_packages_and_pins():
    environment = yaml.safe_load((ROOT / "envs/pipeline.yaml").read_text())
    listed = dict(line.split("==") for line in environment["dependencies"][-1]["pip"])
    assert set(listed) == declared("run")
    assert all(pins()[normal(name)] == version for name, version in listed.items())
