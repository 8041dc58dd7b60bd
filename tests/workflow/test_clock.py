"""An input file with a modification time in the future."""

import os
import time
from pathlib import Path

from tests.miniatures import MINIATURES, write_zip
from tests.workflow.conftest import Project


def test_archive_from_the_future_is_named_and_touching_it_helps(
    project: Project, tmp_path: Path
) -> None:
    archive = write_zip(tmp_path / "crops.zip", MINIATURES["folder"].files)
    tomorrow = time.time() + 86400
    os.utime(archive, (tomorrow, tomorrow))
    project.configure(data={"dataset": "folder", "archive": str(archive)})
    refused = project.snakemake("results/folder/manifest.csv")
    assert refused.returncode == 1
    assert "older modification time" in refused.stdout
    assert f"than input {archive}" in refused.stdout
    os.utime(archive)
    done = project.snakemake("results/folder/manifest.csv")
    assert done.returncode == 0, done.stdout
    assert project.planned("results/folder/manifest.csv") == set()
