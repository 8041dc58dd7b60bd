"""Every ready experiment with its documented command, on miniatures of its archives.

Only the scale differs: the shipped small ViT, two epochs.
"""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline.run import Benchmark
from pipeline.tables.published import PUBLISHED
from pipeline.tables.verdicts import NOT_JUDGED
from tests.cases import long_but
from tests.miniatures import (
    MINIATURES,
    dukemtmc_reid,
    write_folder,
    write_lists,
    write_tar,
    write_zip,
)
from tests.sa1b_files import add_pair
from tests.workflow.conftest import ROOT, Project, copy_project

EXPERIMENTS = {
    path: values
    for path in sorted((ROOT / "workflow/experiments").glob("*.yaml"))
    if "dataset" in (values := yaml.safe_load(path.read_text())).get("data", {})
}
DEFAULT = next(path for path in EXPERIMENTS if path.stem == "occluded_reid")
"""An experiment with another training set and published numbers."""
RECIPES = ("workflow/recipes/sgd.yaml", "workflow/recipes/sa1b_bank.yaml")
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
SMALL = {
    "image": CONFIG["image"],
    "backbone": CONFIG["backbone"],
    "training": {"epochs": 2, "warmup_epochs": 1.0, "identities": 2, "images": 2},
    "occluders": {"limit": 2, "minimum": 2},
    "data": {"checks": "warn"},
    "seeds": [0],
}


def write_archive(folder: Path, dataset: str) -> Path:
    """Write the miniature in the format of the published archive."""
    if dataset == "occluded_duke":  # selected by lists
        return write_zip(folder / "DukeMTMC-reID.zip", dukemtmc_reid().files)
    files = MINIATURES[dataset].files
    if dataset.startswith("msmt17"):
        return write_tar(folder / f"{dataset}.tar.gz", files)
    if dataset.startswith("partial"):
        return write_folder(folder / dataset, files)
    return write_zip(folder / f"{dataset}.zip", files)


@pytest.fixture(scope="module")
def project(tmp_path_factory, warm) -> Project:
    """A project for all experiments, which share the occluder bank."""
    project = copy_project(tmp_path_factory.mktemp("ready"), warm)
    photographs = project.folder / "sa_000000"
    photographs.mkdir()
    for number in (1, 2):
        masks = [np.zeros((48, 64), bool) for _ in range(2)]
        masks[0][8:30, 10:40], masks[1][20:40, 30:60] = True, True
        add_pair(photographs, number, masks)
    return project


@pytest.mark.parametrize("path", long_but(EXPERIMENTS, DEFAULT), ids=lambda path: path.stem)
def test_ready_experiment_runs_from_archive_to_tables(project, tmp_path, path, long):
    """Two of its variants by default."""
    values = EXPERIMENTS[path]
    values |= {} if long else {"compare": ["baseline", "dpeformer"]}
    trained = values["data"]["dataset"]
    tested = values.get("test", values["data"])["dataset"]
    archives = {name: str(write_archive(tmp_path, name)) for name in {trained, tested}}
    small = SMALL | {"compare": values["compare"]}
    small |= {"test": {"checks": "warn"}} if "test" in values else {}
    (project.folder / "small.yaml").write_text(yaml.safe_dump(small))
    own = {"data": {"archive": archives[trained]}, "occluders": {"images": "sa_000000"}}
    if "test" in values:
        own["test"] = {"archive": archives[tested]}
    if "lists" in values["data"]:
        own["data"]["lists"] = str(write_lists(tmp_path / "lists"))
    given = ["--config", *(f"{name}={json.dumps(section)}" for name, section in own.items())]
    files = (*RECIPES, str(path.relative_to(ROOT)), "small.yaml")
    done = project.snakemake(*given, files=files)
    assert done.returncode == 0, done.stdout[-4000:]

    experiment = trained if trained == tested else f"{trained}_to_{tested}"
    tables = project.folder / "results" / experiment / "tables"
    with open(tables / f"{values['table']}.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["variant"] for row in rows} == set(values["compare"])
    assert {(row["dataset"], row["trained_on"]) for row in rows} == {(tested, trained)}
    judged = tables / f"{values['table']}_verdicts.csv"
    assert judged.exists() == (Benchmark(tested, trained) in PUBLISHED)
    if judged.exists():
        with open(judged, newline="") as file:
            verdicts = {row["verdict"] for row in csv.DictReader(file)}
        assert verdicts - {"not run"} == {NOT_JUDGED}
