"""The chain of a run that was pretrained, by lists, tested elsewhere; and how it is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.data.shards import HASHES, write_index
from pipeline.files import sha256, write_json
from pipeline.lineage.chain import Lineage
from pipeline.lineage.links import Link, bad_files, check_all, draw, walk
from pipeline.options.sources import SourceFiles

CODE = {"code": "of another version"}


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return sha256(path)


def record(path: Path, values: dict[str, Any]) -> str:
    write_json(path, values | CODE)
    return sha256(path)


def make_shards(results: Path, dataset: str, lists: dict[str, str]) -> str:
    folder = results / dataset
    write(folder / "shards" / "train-000000.tar", dataset)
    archive = {"name": f"{dataset}.zip", "sha256": write(results / f"{dataset}.zip", dataset)}
    made_of = {
        "manifest": write(
            folder / "manifest.csv", "path,identity,camera,split,width,height,sha256\n"
        ),
        "ingest": record(folder / "ingest.json", {"archive": archive, "lists": lists}),
    }
    write_index(folder / "shards", [], made_of | CODE)
    return sha256(folder / "shards" / HASHES)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A run on `here`, made by a list and pretrained, tested on `there`."""
    digest = write(tmp_path / "lists" / "train.list", "names")
    trained = make_shards(tmp_path, "here", {"train.list": digest})
    folder = tmp_path / "here_to_there"
    run = {
        **{"dataset": "here", "variant": "baseline", "seed": 0, "device": "cuda"},
        **{"precision": "bfloat16", "started": "then", "finished": "later", "seconds": 7200},
        **{"commit": None, "dirty": None},
        "options": {"backbone": {"weights": str(tmp_path / "vit.pth")}},
        "hashes": {
            "weights": write(folder / "weights.safetensors", "w"),
            "history": write(folder / "history.csv", "h"),
            "pretrained": write(tmp_path / "vit.pth", "v"),
            "shards": trained,
            "bank": None,
            "truth": write(tmp_path / "here" / "truth.npz", "t"),
        },
    }
    metrics = {
        "dataset": "there",
        "run": record(folder / "run.json", run),
        "hashes": {
            "queries": write(folder / "queries.csv", "q"),
            "features": write(folder / "features.npz", "f"),
        },
        "embedding": {"shards": make_shards(tmp_path, "there", {}), "device": "cpu"} | CODE,
    }
    record(folder / "metrics.json", metrics)
    return tmp_path


def chain(results: Path) -> tuple[Link, ...]:
    archives = {name: str(results / f"{name}.zip") for name in ("here", "there")}
    sources = SourceFiles(archives=archives, lists={"here": str(results / "lists")})
    path = results / "here_to_there" / "metrics.json"
    return (Lineage(results, sources).metrics(path, sha256(path)),)


def states(results: Path) -> dict[str, str]:
    return {link.name.removeprefix(f"{results}/"): link.state for link in walk(chain(results))}


def test_both_datasets_the_lists_and_the_pretrained_weights_are_in_the_chain(results: Path) -> None:
    found = states(results)
    assert {"here.zip", "there.zip", "lists", "vit.pth"} < set(found)
    gone = {"here/images", "there/images"}
    assert {name for name, state in found.items() if state != "ok"} == gone
    assert {found[name] for name in gone} == {"gone"}


@pytest.mark.parametrize(
    "name",
    [
        *("here.zip", "there.zip", "lists/train.list", "vit.pth", "here/truth.npz"),
        *(f"here_to_there/{name}" for name in ("history.csv", "weights.safetensors")),
    ],
)
def test_each_of_them_is_checked(results: Path, name: str) -> None:
    write(results / name, "other")
    assert [link.name for link in bad_files(chain(results))] == [str(results / name)]


def test_the_run_says_how_where_and_when(results: Path) -> None:
    (line,) = (line for line in draw(chain(results)) if "run.json" in line)
    assert "baseline, seed 0, on here; cuda, bfloat16, then to later, 2.000 device-hours" in line
    assert "outside of git, by other code, of another version" in line


def test_what_was_not_recorded_is_said(results: Path) -> None:
    path = results / "here_to_there" / "metrics.json"
    link = Lineage(results, SourceFiles()).metrics(path, None)
    assert (link.state, bad_files((link,))) == ("no hash", [])


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_record_that_says_nothing_is_broken(results: Path, text: str) -> None:
    write(results / "here_to_there" / "metrics.json", text)
    assert [link.state for link in bad_files(chain(results))] == ["BROKEN"]


def test_a_folder_is_one_line_and_its_bad_files_one_each(tmp_path: Path) -> None:
    hashes = {name: write(tmp_path / name, name) for name in ("a", "b", "c")}
    (line,) = draw((check_all(tmp_path, hashes),))
    assert line.endswith(f"{tmp_path} (3 files)")
    write(tmp_path / "a", "other")
    (tmp_path / "b").unlink()
    folder, *files = draw((check_all(tmp_path, hashes),))
    assert folder.endswith("(2 of 3 files are not as recorded)")
    assert [line.split()[::2] for line in files] == [
        ["CHANGED", str(tmp_path / "a")],
        ["MISSING", str(tmp_path / "b")],
    ]


def test_what_stands_twice_is_drawn_once() -> None:
    twice = Link("ok", "records", "1", "note", (Link("ok", "leaf", "2"),))
    lines = list(draw((twice, twice)))
    assert [line.split(maxsplit=2)[2] for line in lines] == [
        "records (note)",
        "leaf",
        "records (note; as above)",
    ]
