"""What a job records beside each thing that it makes, and what it refuses to work on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError
from pipeline.files import sha256
from pipeline.launcher import main, run_stage
from pipeline.options.run import ModelOptions
from pipeline.provenance.code import code_hash
from pipeline.provenance.environment import commit, versions
from pipeline.provenance.record import read_record, record_path
from tests.provenance.making import copy_files, make, write


def test_a_record_says_by_what_of_what_where_and_when(tmp_path: Path) -> None:
    made = make(write(tmp_path / "a.txt", "a"), tmp_path / "made")
    origin = read_record(made)
    assert origin["stage"] == "tests.provenance.making"
    assert origin["code"] == code_hash("tests.provenance.making")
    assert origin["arguments"] == {
        "files": [str(tmp_path / "a.txt")],
        "folder": str(tmp_path / "made"),
    }
    assert origin["sources"] == {str(tmp_path / "a.txt"): sha256(made)}
    assert (origin["inputs"], origin["contents"]) == ({}, sha256(made))
    assert (origin["commit"], origin["dirty"]) == commit()
    assert origin["versions"] == versions()
    started, finished = (datetime.fromisoformat(origin[key]) for key in ("started", "finished"))
    assert started <= finished
    assert datetime.now(UTC) - started < timedelta(minutes=10)
    assert 0 <= origin["seconds"] < 600


def test_what_was_made_is_an_input_and_what_was_not_is_a_source(tmp_path: Path) -> None:
    first = make(write(tmp_path / "a.txt", "a"), tmp_path / "first")
    photos = write(tmp_path / "photos" / "one.jpg", "1").parent
    origin = read_record(make(first, tmp_path / "second", photos))
    assert origin["inputs"] == {str(first): sha256(first)}
    assert origin["sources"] == {str(photos): {"one.jpg": sha256(photos / "one.jpg")}}


def test_options_are_recorded_whole_and_facts_as_returned(tmp_path: Path) -> None:
    output = tmp_path / "x"

    def stage(options: ModelOptions) -> dict[str, str]:
        output.touch()
        return {"device": "cpu"}

    stage.__module__ = copy_files.__module__
    run_stage(stage, {"options": ModelOptions(k_min=7)}, outputs=[output])
    origin = read_record(output)
    assert origin["arguments"]["options"] == ModelOptions(k_min=7).model_dump(mode="json")
    assert origin["facts"] == {"device": "cpu"}


def test_of_a_folder_that_is_not_read_whole_the_stage_says_what_it_has_read(tmp_path: Path) -> None:
    photos = write(tmp_path / "photos" / "one.jpg", "1").parent
    write(photos / "never-read.jpg", "2")

    def stage() -> dict[str, Any]:
        write(tmp_path / "x", "x")
        return {"sources": {str(photos): {"one.jpg": "its hash"}}}

    stage.__module__ = copy_files.__module__
    run_stage(stage, {}, [photos], [tmp_path / "x"])
    origin = read_record(tmp_path / "x")
    assert origin["sources"] == {str(photos): {"one.jpg": "its hash"}}
    assert origin["facts"] == {}


@pytest.mark.parametrize("later", ["other", None])
def test_a_source_is_recorded_as_it_was_when_the_job_began(
    tmp_path: Path, later: str | None
) -> None:
    source = write(tmp_path / "weights.bin", "first")
    began = sha256(source)

    def stage() -> None:
        write(tmp_path / "x", "x")
        source.unlink() if later is None else write(source, later)

    stage.__module__ = copy_files.__module__
    run_stage(stage, {}, [source], [tmp_path / "x"])
    assert read_record(tmp_path / "x")["sources"] == {str(source): began}


def test_records_lie_beside_the_results_and_are_not_among_their_inputs(tmp_path: Path) -> None:
    """Times are in records, so that no result may have one among its inputs."""
    first = make(write(tmp_path / "a.txt", "a"), tmp_path / "made")
    assert list(tmp_path.rglob(".provenance/*")) == [record_path(first)]
    again = make(tmp_path / "a.txt", tmp_path / "again")
    assert read_record(first)["contents"] == read_record(again)["contents"]


def test_a_job_that_fails_leaves_no_record(tmp_path: Path) -> None:
    values = {"files": [tmp_path / "no-such-file"], "folder": tmp_path}
    with pytest.raises(SystemExit, match="no-such-file"):
        run_stage(copy_files, values, outputs=[Path("x")])
    assert list(tmp_path.rglob("*.json")) == []


def test_without_a_rule_there_is_no_record(tmp_path: Path) -> None:
    source = write(tmp_path / "a.txt", "a")
    words = ["--files", str(source), "--folder", str(tmp_path / "made")]
    main(["tests.provenance.making:copy_files", *words])
    assert (tmp_path / "made" / "a.txt").exists()
    assert list(tmp_path.rglob("*.json")) == []


def test_a_job_does_not_start_on_what_was_changed_after_it_was_made(tmp_path: Path) -> None:
    first = make(write(tmp_path / "a.txt", "a"), tmp_path / "first")
    write(first, "other")
    with pytest.raises(SystemExit, match=rf"error: {first}: not as it was made, by the hash in .*"):
        make(first, tmp_path / "second")
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize("text", ["other", None])
def test_in_a_folder_the_changed_file_is_named(tmp_path: Path, text: str | None) -> None:
    folder = tmp_path / "shards"
    for name in ("a.tar", "b.tar"):
        write(folder / name, name)
    run_stage(copy_files, {"files": [], "folder": tmp_path / "empty"}, outputs=[folder])
    make(write(tmp_path / "c", "c"), tmp_path / "made", folder)
    (folder / "b.tar").unlink() if text is None else write(folder / "b.tar", text)
    with pytest.raises(SystemExit, match=rf"error: {folder}/b\.tar: not as it was made.*delete "):
        make(tmp_path / "c", tmp_path / "made", folder)


def test_marks_of_the_system_in_a_folder_are_none_of_its_contents(tmp_path: Path) -> None:
    folder = write(tmp_path / "photos" / "one.jpg", "1").parent
    for name in (".DS_Store", ".snakemake_timestamp"):
        write(folder / name, "")
    origin = read_record(make(write(tmp_path / "c", "c"), tmp_path / "made", folder))
    assert list(origin["sources"][str(folder)]) == ["one.jpg"]


def test_no_bit_of_a_record_changes_unnoticed(tmp_path: Path) -> None:
    made = make(write(tmp_path / "a.txt", "a"), tmp_path / "made")
    record = record_path(made)
    whole = record.read_bytes()
    for place in range(len(whole) - 1):  # but for the last newline, which says nothing
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        record.write_bytes(changed)
        with pytest.raises(InputError, match=r"\.provenance/a\.txt\.json: "):
            read_record(made)
    record.write_bytes(whole)
    assert read_record(made)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"seal": 1}'])
def test_a_record_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    made = make(write(tmp_path / "a.txt", "a"), tmp_path / "made")
    record_path(made).write_text(text)
    with pytest.raises(InputError, match=r"a\.txt\.json: "):
        read_record(made)


def test_the_record_of_another_file_is_none(tmp_path: Path) -> None:
    """They may have the same bytes, or be made of each other."""
    first, second = (make(write(tmp_path / name, "x"), tmp_path / "made") for name in "ab")
    record_path(first).write_bytes(record_path(second).read_bytes())
    with pytest.raises(InputError, match=r"a\.json: is the record of how b was made, not a"):
        read_record(first)
