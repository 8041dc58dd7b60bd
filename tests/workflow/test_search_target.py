"""The target search: the user's pictures without labels, with a finished run."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipeline import load
from pipeline.provenance.chain import Chain
from pipeline.provenance.links import OK, walk
from tests.workflow.conftest import TINY, Project

RUN = "results/synthetic/dpeformer/seed0"
FOUND = "results/search/mine"


@pytest.fixture(scope="module")
def searched(finished: Project) -> Project:
    """A finished project with pictures in sub-folders, which was searched."""
    images = sorted((finished.folder / "results/synthetic/images").glob("*/query/*.jpg"))
    for role, folder in (("query", "mine/query/mon"), ("gallery", "mine/gallery/a b/c")):
        (finished.folder / folder).mkdir(parents=True)
        for number, image in enumerate(images[:: 3 if role == "query" else 1]):
            shutil.copy(image, finished.folder / folder / f"{number}.jpg")
    project = with_search(finished)
    done = project.snakemake("search")
    assert done.returncode == 0, done.stdout[-3000:]
    return project


def with_search(project: Project, changed: dict | None = None, **search: object) -> Project:
    """Return the project with a section `search`, and with some other sections changed."""
    section = {"run": RUN, "query": "mine/query", "gallery": "mine/gallery", "top": 3} | search
    text = yaml.safe_dump(TINY | {"search": section} | (changed or {}))
    (project.folder / "search.yaml").write_text(text)
    return replace(project, configuration="search.yaml")


def test_search_writes_matches_features_and_page(
    searched: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The matches are those of the Python interface; all records agree."""
    monkeypatch.chdir(searched.folder)
    model = load(RUN, "cpu")
    expected = model.search("mine/query", "mine/gallery", top=3).table(model.threshold)
    found = pd.read_csv(f"{FOUND}/matches.csv")
    pd.testing.assert_frame_equal(found, expected, atol=1e-4)
    assert found["match"].str.startswith("mine/gallery/a b/c/").all()
    assert len(model.read_gallery(f"{FOUND}/query.npz")) == found["query"].nunique()
    names = json.dumps(sorted(found["query"].unique())[0])
    assert names in Path(f"{FOUND}/matches.html").read_text()
    links = list(walk((Chain().follow(Path(f"{FOUND}/matches.csv")),)))
    assert {link.state for link in links} == {OK}
    assert {f"{RUN}/weights.safetensors", f"{RUN}/open_set.json", "mine/query"} <= {
        link.name for link in links
    }


def test_only_what_changed_is_made_again(searched: Project) -> None:
    """Neither does `all` search, nor does a search train its run again."""
    search, embed = {"search"}, {"search", "embed_pictures"}
    assert searched.planned("search") == set()
    assert searched.planned("all") == set()
    training = {"training": TINY["training"] | {"epochs": 3}}
    assert with_search(searched, training).planned("search") == set()
    assert with_search(searched, top=2).planned("search") == search
    new = searched.folder / "mine/gallery/a b/c/new.jpg"
    folder_time = os.stat(searched.folder / "mine/gallery")
    shutil.copy(searched.folder / "mine/query/mon/0.jpg", new)
    try:
        assert os.stat(searched.folder / "mine/gallery").st_mtime_ns == folder_time.st_mtime_ns
        assert with_search(searched).planned("search") == embed
    finally:
        new.unlink()


def test_without_a_section_nothing_is_searched(project: Project) -> None:
    assert not {"search", "embed_pictures"} & project.planned("all")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"run": None}, "search.run: found null, expected a path: give run, query and gallery"),
        ({"run": "none/seed0"}, "search.run: found no none/seed0, expected a finished run"),
        ({"run": "unfinished"}, "search.run: found no unfinished/run.json, expected a finished"),
        ({"gallery": "none"}, "search.gallery: none: no such file or folder"),
        ({"query": "empty"}, "search.query: empty: expected a folder with images"),
    ],
)
def test_invalid_section_is_one_line_before_any_job(
    project: Project, changed: dict, message: str
) -> None:
    for folder in ("unfinished", "pictures", "empty"):
        (project.folder / folder).mkdir()
    (project.folder / "unfinished/weights.safetensors").touch()
    (project.folder / "pictures/a.jpg").touch()
    section = {"run": "pictures/a.jpg", "query": "pictures", "gallery": "pictures"} | changed
    refused = with_search(project, **section).snakemake("search")
    assert refused.returncode != 0
    assert refused.stdout.splitlines()[-1].startswith(f"error: config: {message}")
    assert "Traceback" not in refused.stdout
    assert not (project.folder / "results").exists()
