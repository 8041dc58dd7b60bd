"""The workflow with a tiny configuration, in a copy of the project that tests may edit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import pytest
import yaml

from pipeline.options.occluders import OccluderOptions

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("pipeline", "workflow", "profiles", "envs", "Snakefile", "config.yaml")

TINY = {
    "compare": ["baseline", "dpeformer"],
    "seeds": [0, 1],
    # the default folder would be results/synthetic-<hash>
    "data": {"name": "synthetic"},
    "benchmark": {
        "height": 64,
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
    "occluders": {
        "scenes": {"count": 4, "size": 128},
        "generator": {"points_per_side": 5},
        "minimum": 2,
    },
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

DIRECT = "import sys; sys.executable = {!r}; from snakemake.cli import main; main()"
"""Snakemake in its own interpreter, with jobs in forks of the executable {}."""
OCCLUDERS = OccluderOptions.model_validate(TINY["occluders"])
"""The tiny occluder options, which determine the bank's path."""
ONE_RUN = {"table": "one", "compare": ["dpeformer"], "seeds": [0]}
"""Configuration of a table with one run of the tiny configuration."""


@dataclass(frozen=True)
class Project:
    """A copy of the project in `folder`, with a tiny configuration."""

    folder: Path
    configuration: str = "tiny.yaml"
    warm: Path | None = None
    """Folder of a `warm_python`; None: every job starts a new interpreter."""

    def start(
        self,
        *arguments: str,
        stdout: int | IO[str] = subprocess.PIPE,
        files: tuple[str, ...] = (),
        direct: bool = False,
        **environment: str,
    ) -> subprocess.Popen[str]:
        """Start snakemake in a new process group, with the copy's Python package.

        Snakemake and its jobs run in forks of the `warm` Python, unless `environment` is given,
        which needs a new interpreter. With `direct` only the jobs run in forks, and Snakemake
        receives signals itself. All output goes to `stdout`; `files` replace the project's
        configuration.
        """
        cold = self.warm is None or environment
        folders = [] if cold else [str(self.warm)]
        folders += [str(Path(sys.executable).parent), os.environ["PATH"]]
        command = [sys.executable if cold else f"{self.warm}/python", "-m", "snakemake"]
        if direct and not cold:
            command = [sys.executable, "-c", DIRECT.format(f"{self.warm}/python")]
        command += ["--configfile", *(files or (self.configuration,)), "--cores", "2"]
        own = {"PYTHONPATH": str(self.folder), "PATH": os.pathsep.join(folders)}
        return subprocess.Popen(
            [*command, *arguments],
            cwd=self.folder,
            env=os.environ | own | environment,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def snakemake(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run snakemake until it ends; options as for `start`."""
        with self.start(*arguments, **options) as process:
            printed, _ = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, printed)

    def planned(self, *arguments: str) -> set[str]:
        """Return the rules that a dry run lists."""
        plan = self.snakemake("--dry-run", *arguments)
        assert plan.returncode == 0, plan.stdout
        lines = plan.stdout.splitlines()
        return {line.split()[1].rstrip(":") for line in lines if line.startswith("rule ")}

    def of_one_run(self, **sections: object) -> Project:
        """Return the project with a table of one run, and with some sections replaced."""
        (self.folder / "one.yaml").write_text(yaml.safe_dump(TINY | ONE_RUN | sections))
        return replace(self, configuration="one.yaml")

    def planned_with(self, **sections: object) -> set[str]:
        """Return the rules that a dry run lists with some sections of tiny.yaml replaced."""
        self.configure(**sections)
        try:
            return self.planned()
        finally:
            self.configure()

    def configure(self, **sections: object) -> None:
        """Write tiny.yaml with some sections replaced."""
        (self.folder / "tiny.yaml").write_text(yaml.safe_dump(TINY | sections))


def copy_project(folder: Path, warm: Path | None = None) -> Project:
    """Copy the project's source files, without results."""
    folder.mkdir(exist_ok=True)
    for part in PARTS:
        source = ROOT / part
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, folder / part)
    project = Project(folder, warm=warm)
    project.configure()
    return project


@pytest.fixture
def project(tmp_path, warm) -> Project:
    """A project without results."""
    return copy_project(tmp_path / "project", warm)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, warm) -> Project:
    """A project with the results of `rule all`."""
    project = copy_project(tmp_path_factory.mktemp("journey"), warm)
    done = project.snakemake("all")
    assert done.returncode == 0, done.stdout[-6000:]
    return project
