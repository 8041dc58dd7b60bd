"""A chain of origins: what is followed, what is noticed, and how it is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.launcher import run_stage
from pipeline.provenance.chain import Chain
from pipeline.provenance.code import code_hash
from pipeline.provenance.links import Link, bad_files, tree_lines, walk
from pipeline.provenance.record import record_path
from tests.provenance.making import copy_files, make, write


@pytest.fixture
def last(tmp_path: Path) -> Path:
    """last/a.txt, made of middle/a.txt and a folder of photos; that of a.txt."""
    middle = make(write(tmp_path / "a.txt", "a"), tmp_path / "middle")
    for name in ("one.jpg", "two.jpg", "three.jpg"):
        write(tmp_path / "photos" / name, name)
    return make(middle, tmp_path / "last", tmp_path / "photos")


def states(last: Path) -> dict[str, str]:
    top = last.parent.parent
    links = walk((Chain().follow(last),))
    return {Path(link.name).relative_to(top).as_posix(): link.state for link in links}


def bad(last: Path) -> list[str]:
    top = last.parent.parent
    links = bad_files((Chain().follow(last),))
    return [f"{link.state} {Path(link.name).relative_to(top).as_posix()}" for link in links]


def test_the_chain_goes_down_to_what_nobody_made(last: Path) -> None:
    assert states(last) == dict.fromkeys(["last/a.txt", "middle/a.txt", "a.txt", "photos"], "ok")


@pytest.mark.parametrize("name", ["last/a.txt", "middle/a.txt", "a.txt", "photos/two.jpg"])
def test_each_file_is_held_against_its_hash(last: Path, name: str) -> None:
    write(last.parent.parent / name, "other")
    assert bad(last) == [f"CHANGED {name}"]


def test_a_file_that_goes_from_a_folder_is_named_and_one_that_comes_was_not_used(
    last: Path,
) -> None:
    photos = last.parent.parent / "photos"
    write(photos / "new.jpg", "new")
    assert bad(last) == []
    (photos / "two.jpg").unlink()
    assert bad(last) == ["MISSING photos/two.jpg"]


def test_each_file_of_a_folder_is_named_however_many(tmp_path: Path) -> None:
    for number in range(30):
        write(tmp_path / "photos" / f"{number}.jpg", "before")
    made = make(write(tmp_path / "a.txt", "a"), tmp_path / "made", tmp_path / "photos")
    for number in range(30):
        write(tmp_path / "photos" / f"{number}.jpg", "after")
    assert sorted(bad(made)) == sorted(f"CHANGED photos/{number}.jpg" for number in range(30))


def test_a_folder_that_was_made_holds_no_more_than_was_made(tmp_path: Path) -> None:
    made = write(tmp_path / "made" / "shards" / "a.tar", "a").parent
    run_stage(copy_files, {"files": [], "folder": tmp_path}, outputs=[made])
    write(made / "new.tar", "new")
    assert bad(made) == ["CHANGED made/shards/new.tar"]


def test_what_was_made_must_be_there_and_a_source_may_be_gone(last: Path) -> None:
    (last.parent.parent / "a.txt").unlink()
    assert states(last)["a.txt"] == "gone"
    assert bad(last) == []
    (last.parent.parent / "middle" / "a.txt").unlink()
    assert bad(last) == ["MISSING middle/a.txt"]


def test_an_input_that_was_made_anew_since_is_not_what_was_used(last: Path) -> None:
    top = last.parent.parent
    make(write(top / "a.txt", "newer"), top / "middle")
    assert bad(last) == ["CHANGED middle/a.txt"]
    (line,) = (line for line in tree_lines((Chain().follow(last),)) if "middle/a.txt" in line)
    assert "made anew since it was used" in line


def test_without_a_record_nothing_is_believed(last: Path) -> None:
    record = record_path(last.parent.parent / "middle" / "a.txt")
    text = record.read_text()
    record.write_text(text.replace("making", "mating"))
    assert bad(last) == ["BROKEN middle/.provenance/a.txt.json"]
    record.unlink()
    assert bad(last) == ["MISSING middle/.provenance/a.txt.json"]


def test_a_record_that_leads_back_to_its_own_result_is_no_endless_chain(last: Path) -> None:
    middle = last.parent.parent / "middle" / "a.txt"
    record_path(middle).write_bytes(record_path(last).read_bytes())
    assert bad(last) == ["BROKEN middle/.provenance/a.txt.json"]


def test_a_folder_in_the_place_of_a_source_is_not_the_source(last: Path) -> None:
    source = last.parent.parent / "a.txt"
    source.unlink()
    source.mkdir()
    assert bad(last) == ["CHANGED a.txt"]


def test_a_line_says_by_what_and_when(last: Path) -> None:
    first, *_ = tree_lines((Chain().follow(last),))
    assert first.startswith("ok      ")
    assert f"{last} (tests.provenance.making, 20" in first
    assert first.endswith("by this code)")


def test_other_code_is_said_but_no_error(last: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.provenance.chain.code_hash", lambda stage: "other")
    first, *_ = tree_lines((Chain().follow(last),))
    assert "by other code, " in first
    assert bad(last) == []


def test_a_stage_that_is_no_longer_there_is_other_code(
    last: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "pipeline.no_such_stage"
    monkeypatch.setattr("pipeline.provenance.chain.code_hash", lambda stage: code_hash(name))
    first, *_ = tree_lines((Chain().follow(last),))
    assert "by other code, " in first
    assert bad(last) == []


def test_a_bad_file_is_named_though_a_folder_elsewhere_ends_like_it() -> None:
    inside = Link("CHANGED", "results/photos/one.jpg")
    links = (Link("CHANGED", "photos"), Link("CHANGED", "results/photos", inputs=(inside,)))
    assert [link.name for link in bad_files(links)] == ["photos", "results/photos/one.jpg"]


def test_what_stands_twice_is_rendered_once() -> None:
    twice = Link("ok", "records", "1", "note", (Link("ok", "leaf", "2"),))
    lines = list(tree_lines((twice, twice)))
    assert [line.split(maxsplit=2)[2] for line in lines] == [
        "records (note)",
        "leaf",
        "records (as above)",
    ]
