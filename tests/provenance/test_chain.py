"""A chain of records: what it follows, which changes it finds, and how it is printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.launcher import run_stage
from pipeline.provenance.chain import Chain
from pipeline.provenance.code import code_hash
from pipeline.provenance.links import Link, bad_files, tree_lines, walk
from pipeline.provenance.record import record_path
from tests.provenance.making import copy_files, make, make_all, write


@pytest.fixture
def last(tmp_path: Path) -> Path:
    """last/a.txt, made from middle/a.txt and a folder of photos; middle/a.txt from a.txt."""
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


def test_chain_reaches_the_sources(last: Path) -> None:
    assert states(last) == dict.fromkeys(["last/a.txt", "middle/a.txt", "a.txt", "photos"], "ok")


@pytest.mark.parametrize("name", ["last/a.txt", "middle/a.txt", "a.txt", "photos/two.jpg"])
def test_changed_file_is_found(last: Path, name: str) -> None:
    write(last.parent.parent / name, "other")
    assert bad(last) == [f"CHANGED {name}"]


def test_removed_source_file_is_found_and_added_one_ignored(last: Path) -> None:
    photos = last.parent.parent / "photos"
    write(photos / "new.jpg", "new")
    assert bad(last) == []
    (photos / "two.jpg").unlink()
    assert bad(last) == ["MISSING photos/two.jpg"]


def test_all_changed_files_of_a_folder_are_named(last: Path) -> None:
    photos = sorted((last.parent.parent / "photos").iterdir())
    for photo in photos:
        write(photo, "other")
    assert sorted(bad(last)) == [f"CHANGED photos/{photo.name}" for photo in photos]


def test_added_file_in_a_result_folder_is_found(tmp_path: Path) -> None:
    made = write(tmp_path / "made" / "shards" / "a.tar", "a").parent
    run_stage(copy_files, {"files": [], "folder": tmp_path}, outputs=[made])
    write(made / "new.tar", "new")
    assert bad(made) == ["CHANGED made/shards/new.tar"]


def test_missing_result_is_an_error_and_missing_source_is_not(last: Path) -> None:
    (last.parent.parent / "a.txt").unlink()
    assert states(last)["a.txt"] == "gone"
    assert bad(last) == []
    (last.parent.parent / "middle" / "a.txt").unlink()
    assert bad(last) == ["MISSING middle/a.txt"]


def test_replaced_input_is_found(last: Path) -> None:
    top = last.parent.parent
    make(write(top / "a.txt", "newer"), top / "middle")
    assert bad(last) == ["CHANGED middle/a.txt"]
    (line,) = (line for line in tree_lines((Chain().follow(last),)) if "middle/a.txt" in line)
    assert "replaced since it was used" in line


def test_changed_or_missing_record_is_found(last: Path) -> None:
    middle = last.parent.parent / "middle" / "a.txt"
    record = record_path([middle])
    record.write_text(record.read_text().replace("making", "mating"))
    assert bad(last) == ["BROKEN middle/.provenance/a.txt.json"]
    record.unlink()
    (link,) = bad_files((Chain().follow(last),))
    assert (link.state, link.name) == ("MISSING", f"record of {middle}")


def test_cycle_of_records_ends(last: Path) -> None:
    middle = last.parent.parent / "middle" / "a.txt"
    record_path([middle]).write_bytes(record_path([last]).read_bytes())
    assert bad(last) == ["BROKEN middle/a.txt"]


def test_each_output_of_a_job_is_followed_by_itself(tmp_path: Path) -> None:
    first, second = make_all([write(tmp_path / name, name) for name in "ab"], tmp_path / "made")
    last = make(second, tmp_path / "last")
    write(first, "other")
    assert bad(first) == ["CHANGED made/a"]
    assert bad(last) == []
    write(second, "other")
    assert bad(last) == ["CHANGED made/b"]


def test_folder_in_place_of_a_source_file_is_found(last: Path) -> None:
    source = last.parent.parent / "a.txt"
    source.unlink()
    source.mkdir()
    assert bad(last) == ["CHANGED a.txt"]


def test_tree_line_has_stage_time_and_code(last: Path) -> None:
    first, *_ = tree_lines((Chain().follow(last),))
    assert first.startswith("ok      ")
    assert f"{last} (tests.provenance.making, 20" in first
    assert first.endswith("by this code)")


@pytest.mark.parametrize("name", ["pipeline.errors", "pipeline.no_such_stage"])
def test_changed_or_removed_code_is_noted_but_no_error(
    last: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("pipeline.provenance.chain.code_hash", lambda stage: code_hash(name))
    first, *_ = tree_lines((Chain().follow(last),))
    assert "by other code, " in first
    assert bad(last) == []


def test_bad_files_of_folders_with_similar_names_are_all_listed() -> None:
    inside = Link("CHANGED", "results/photos/one.jpg")
    links = (Link("CHANGED", "photos"), Link("CHANGED", "results/photos", inputs=(inside,)))
    assert [link.name for link in bad_files(links)] == ["photos", "results/photos/one.jpg"]


def test_repeated_link_is_printed_without_inputs() -> None:
    twice = Link("ok", "records", "1", "note", (Link("ok", "leaf", "2"),))
    lines = list(tree_lines((twice, twice)))
    assert [line.split(maxsplit=2)[2] for line in lines] == [
        "records (note)",
        "leaf",
        "records (as above)",
    ]
