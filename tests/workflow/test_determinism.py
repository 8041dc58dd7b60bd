"""Results do not depend on folder, machine settings or order of files."""

from __future__ import annotations

import hashlib
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.warm import warm_python
from tests.workflow.conftest import OCCLUDERS, TINY, Project, copy_project
from tests.workflow.outcome import outcome

TABLE = "results/synthetic/tables/one.csv"
RUN = "synthetic/dpeformer/seed0"
ELSEWHERE = {
    "LC_ALL": "C",
    "LANG": "tr_TR.UTF-8",
    "TZ": "Asia/Tokyo",
    "PYTHONHASHSEED": "12345",
    "PYTHONUTF8": "0",
    "OMP_NUM_THREADS": "4",
}
COMPARED = (
    *("synthetic/manifest.csv", "synthetic/shards/*.tar", "synthetic/shards/index.csv"),
    *("occluders/masks.jsonl", "occluders/bank/*.tar", "occluders/bank/table.csv"),
    *(f"{RUN}/weights.safetensors", f"{RUN}/queries.csv"),
    *("synthetic/tables/one.csv", "synthetic/tables/one_runs.csv"),
)
"""The compared results, besides the features; other files contain the archive's hash."""


def repack(source: Path, target: Path) -> None:
    """Write the same files in reverse order."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in reversed(old.namelist()):
            new.writestr(name, old.read(name))


def copy_backwards(source: Path, target: Path) -> None:
    """Copy the files in reverse order, so that the folder may list them in another order."""
    target.mkdir()
    for path in sorted(source.iterdir(), reverse=True):
        shutil.copyfile(path, target / path.name)


def test_results_do_not_depend_on_the_environment(finished: Project, tmp_path: Path) -> None:
    """Other folder, core count, locale, time zone, hash seed, umask and order of files."""
    one = finished.of_one_run()
    assert one.snakemake(TABLE).returncode == 0
    other = copy_project(tmp_path / "an other place").of_one_run(
        data={"archive": str(tmp_path / "backwards.zip")},
        occluders=TINY["occluders"] | {"images": str(tmp_path / "scenes")},
    )
    repack(one.folder / "results/synthetic/archive.zip", tmp_path / "backwards.zip")
    copy_backwards(one.folder / OCCLUDERS.scenes_path(), tmp_path / "scenes")
    with warm_python(umask=0o077, **ELSEWHERE) as python:
        done = replace(other, warm=python).snakemake(TABLE, "--cores", "1")
    assert done.returncode == 0, done.stdout[-4000:]
    found, wanted = results(other), results(one)
    assert found == wanted
    assert all(any(Path(name).match(pattern) for name in found) for pattern in COMPARED)


def results(project: Project) -> dict[str, str]:
    """Return the hashes by path, without the hash of options, which include the image folder."""
    made = outcome(project.folder / "results")
    found = {re.sub("-[0-9a-f]{8}", "", name): value for name, value in made.items()}
    kept = {name: value for name, value in found.items() if any(map(Path(name).match, COMPARED))}
    return kept | {"features": features_hash(project.folder / "results" / RUN / "features.npz")}


def features_hash(path: Path) -> str:
    digest = hashlib.sha256()
    with np.load(path) as arrays:
        for name in sorted(set(arrays)):
            digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
            digest.update(arrays[name].tobytes())
    return digest.hexdigest()
