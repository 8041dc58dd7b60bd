"""Profiles, container and manifest, as far as they can be checked without a cluster."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.cli import get_argument_parser

from tests.workflow.conftest import ROOT

PROFILES = sorted((ROOT / "profiles").glob("*/config.yaml"))
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def profile(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.parent.name)
def test_keys_of_a_profile_are_options_of_snakemake(path: Path) -> None:
    """Those of a plugin are checked only if it is installed."""
    values = yaml.safe_load(path.read_text())
    plugin = values.get("executor")
    if plugin and importlib.util.find_spec(f"snakemake_executor_plugin_{plugin}") is None:
        values = {key: value for key, value in values.items() if not key.startswith(f"{plugin}-")}
    options = get_argument_parser()._option_string_actions
    assert {f"--{key}" for key in values} - options.keys() == set()


@pytest.mark.parametrize("name", ["slurm", "kubernetes"])
def test_failed_run_stops_no_other_one(name: str) -> None:
    assert profile(name)["keep-going"]
    assert profile(name)["rerun-incomplete"]


def test_dockerfile_copies_existing_files_that_are_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
    names = {name for line in copied for name in line.split()} - {"."}
    assert names <= kept
    assert all((ROOT / name).exists() for name in kept)


def test_dockerfile_has_no_warnings() -> None:
    program = Path(sys.executable).with_name("hadolint")  # of the environment's extra `dev`
    done = subprocess.run([program, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_kubernetes_job_fits_image_and_profile() -> None:
    job = yaml.safe_load((ROOT / "profiles/kubernetes/job.yaml").read_text())
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (user,) = re.findall(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE)
    assert pod["securityContext"]["runAsUser"] == int(user)
    (workdir,) = re.findall(r"^WORKDIR (\S+)\nENTRYPOINT", DOCKERFILE, re.MULTILINE)
    assert workdir in {mount["mountPath"] for mount in container["volumeMounts"]}
    given = get_argument_parser().parse_args(container["args"])
    assert given.workflow_profile == "/opt/dpeformer/profiles/kubernetes"
    gpus = container["resources"]["limits"]["nvidia.com/gpu"]
    assert profile("kubernetes")["resources"] == {"gpu": gpus}
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert volumes == {mount["name"] for mount in container["volumeMounts"]}


@pytest.mark.long
def test_kubernetes_job_is_valid() -> None:
    schemas = pytest.importorskip("kubernetes_validate")
    job = yaml.safe_load((ROOT / "profiles/kubernetes/job.yaml").read_text())
    schemas.validate(job, "1.33", strict=True)
