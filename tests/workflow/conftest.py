"""The whole workflow on a tiny configuration, in a copy of the project that tests may edit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("pipeline", "workflow", "profiles", "envs", "Snakefile", "config.yaml")

TINY = {
    "compare": ["baseline", "dpeformer"],
    "seeds": [0, 1],
    "benchmark": {
        "cameras": 3,
        "obstacles": 2,
        "obstacles_per_camera": 1,
        "train_identities": 6,
        "train_images": 4,
        "test_identities": 8,
        "gallery_only_identities": 1,
        "gallery_images": 3,
        "gallery_occluded": 0.2,
        "queries_per_identity": 1,
        "junk_images": 2,
        "distractor_images": 3,
    },
    "occluders": {"scenes": {"count": 4, "size": 128}, "minimum": 2},
    "image": {"height": 64, "width": 32},
    "backbone": {
        "embed_dim": 32,
        "depth": 1,
        "num_heads": 2,
        "mlp_ratio": 2.0,
        "weights": None,
        "sha256": None,
    },
    "model": {"k_min": 8},
    "training": {"epochs": 2, "identities": 3, "images": 2},
}

ONE_RUN = {"table": "one", "compare": ["dpeformer"], "seeds": [0]}
"""A table of one of the runs of the tiny configuration."""


@dataclass(frozen=True)
class Project:
    """A copy of the project with a tiny configuration; `folder` is its root."""

    folder: Path
    configuration: str = "tiny.yaml"

    def start(
        self,
        *arguments: str,
        stdout: int | IO[str] = subprocess.PIPE,
        umask: int = -1,
        files: tuple[str, ...] = (),
        **environment: str,
    ) -> subprocess.Popen[str]:
        """Start snakemake there as a user does, on the copy's own Python package.

        It leads a process group of its own, as in a user's shell; all that it prints goes to
        `stdout`. -1 keeps the file mode mask; `files` replace the project's configuration.
        """
        command = [sys.executable, "-m", "snakemake"]
        command += ["--configfile", *(files or (self.configuration,)), "--cores", "2"]
        binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {"PYTHONPATH": str(self.folder), "PATH": binaries}
        return subprocess.Popen(
            [*command, *arguments],
            cwd=self.folder,
            env=os.environ | own | environment,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
            umask=umask,
            start_new_session=True,
        )

    def snakemake(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run snakemake there to its end; the options are those of `start`."""
        with self.start(*arguments, **options) as process:
            printed, _ = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, printed)

    def planned(self, *arguments: str) -> set[str]:
        """Rules that a dry run would run."""
        plan = self.snakemake("--dry-run", *arguments)
        assert plan.returncode == 0, plan.stdout
        lines = plan.stdout.splitlines()
        return {line.split()[1].rstrip(":") for line in lines if line.startswith("rule ")}

    def of_one_run(self, **sections: object) -> Project:
        """The same project, asked for a table of one of its runs, with some sections replaced."""
        (self.folder / "one.yaml").write_text(yaml.safe_dump(TINY | ONE_RUN | sections))
        return Project(self.folder, "one.yaml")

    def configure(self, **sections: object) -> None:
        """Write tiny.yaml with some sections replaced."""
        (self.folder / "tiny.yaml").write_text(yaml.safe_dump(TINY | sections))


def copy_project(folder: Path) -> Project:
    """The project's own files, without anything that was made from them."""
    folder.mkdir(exist_ok=True)
    for part in PARTS:
        source = ROOT / part
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, folder / part)
    project = Project(folder)
    project.configure()
    return project


@pytest.fixture
def project(tmp_path) -> Project:
    """A project in which nothing has run."""
    return copy_project(tmp_path / "project")


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Project:
    """A project whose main job has run once."""
    project = copy_project(tmp_path_factory.mktemp("journey"))
    done = project.snakemake("all")
    assert done.returncode == 0, done.stdout[-6000:]
    return project
