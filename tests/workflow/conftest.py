"""The whole workflow on a tiny configuration, in a copy of the project that tests may edit."""

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
    # by its options, results/synthetic-<hash>
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
"""Snakemake whose jobs alone run in forks."""
OCCLUDERS = OccluderOptions.model_validate(TINY["occluders"])
"""They say where the tiny bank lies."""
ONE_RUN = {"table": "one", "compare": ["dpeformer"], "seeds": [0]}
"""A table of one of the runs of the tiny configuration."""


@dataclass(frozen=True)
class Project:
    """A copy of the project with a tiny configuration; `folder` is its root."""

    folder: Path
    configuration: str = "tiny.yaml"
    warm: Path | None = None
    """Folder of a `warm_python`; without it every job starts an interpreter."""

    def start(
        self,
        *arguments: str,
        stdout: int | IO[str] = subprocess.PIPE,
        umask: int = -1,
        files: tuple[str, ...] = (),
        direct: bool = False,
        **environment: str,
    ) -> subprocess.Popen[str]:
        """Start snakemake there as a user does, on the copy's own Python package.

        It and its jobs run in forks of the `warm` Python, unless what an interpreter has from its
        start is given: a file mode mask or variables. With `direct` its jobs alone do: signals
        reach it as they reach any process.

        It leads a process group of its own, as in a user's shell; all that it prints goes to
        `stdout`. -1 keeps the file mode mask; `files` replace the project's configuration.
        """
        cold = self.warm is None or environment or umask != -1
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
        return replace(self, configuration="one.yaml")

    def configure(self, **sections: object) -> None:
        """Write tiny.yaml with some sections replaced."""
        (self.folder / "tiny.yaml").write_text(yaml.safe_dump(TINY | sections))


def copy_project(folder: Path, warm: Path | None = None) -> Project:
    """The project's own files, without anything that was made from them."""
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
    """A project in which nothing has run."""
    return copy_project(tmp_path / "project", warm)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, warm) -> Project:
    """A project whose main job has run once."""
    project = copy_project(tmp_path_factory.mktemp("journey"), warm)
    done = project.snakemake("all")
    assert done.returncode == 0, done.stdout[-6000:]
    return project
