"""The record of a job, how an output finds it, and changed inputs that a job refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError
from pipeline.files import sha256
from pipeline.launcher import Stage, main, run_stage
from pipeline.options.run import ModelOptions
from pipeline.provenance import record as record_module
from pipeline.provenance.code import code_hash
from pipeline.provenance.environment import commit, versions
from pipeline.provenance.record import JobRecord, Records, read_record, record_path
from tests.provenance.making import copy_files, make, make_all, record_of, write


def test_record_has_stage_inputs_environment_and_time(tmp_path: Path) -> None:
    made = make(write(tmp_path / "a.txt", "a"), tmp_path / "made")
    record = record_of(made)
    assert record["stage"] == "tests.provenance.making"
    assert record["code"] == code_hash("tests.provenance.making")
    assert record["arguments"] == {
        "files": [str(tmp_path / "a.txt")],
        "folder": str(tmp_path / "made"),
    }
    assert record["sources"] == {str(tmp_path / "a.txt"): sha256(made)}
    assert (record["inputs"], record["outputs"]) == ({}, {"a.txt": sha256(made)})
    assert (record["commit"], record["dirty"]) == commit()
    assert record["versions"] == versions()
    started, finished = (datetime.fromisoformat(record[key]) for key in ("started", "finished"))
    assert started <= finished
    assert datetime.now(UTC) - started < timedelta(minutes=10)
    assert 0 <= record["seconds"] < 600


def test_results_are_inputs_and_other_files_are_sources(tmp_path: Path) -> None:
    first = make(write(tmp_path / "a.txt", "a"), tmp_path / "first")
    photos = write(tmp_path / "photos" / "one.jpg", "1").parent
    record = record_of(make(first, tmp_path / "second", photos))
    assert record["inputs"] == {str(first): sha256(first)}
    assert record["sources"] == {str(photos): {"one.jpg": sha256(photos / "one.jpg")}}


def record_by(stage: Stage, output: Path, *inputs: Path, **arguments: Any) -> JobRecord:
    """Run a function as a stage of this module, which writes `output`; return the record."""
    stage.__module__ = copy_files.__module__
    run_stage(stage, arguments, inputs, [output])
    return record_of(output)


def test_all_options_and_the_stages_facts_are_recorded(tmp_path: Path) -> None:
    def stage(options: ModelOptions) -> dict[str, str]:
        write(tmp_path / "x", "x")
        return {"device": "cpu"}

    record = record_by(stage, tmp_path / "x", options=ModelOptions(k_min=7))
    assert record["arguments"]["options"] == ModelOptions(k_min=7).model_dump(mode="json")
    assert record["facts"] == {"device": "cpu"}


def test_stage_reports_the_files_it_read_of_a_folder(tmp_path: Path) -> None:
    photos = write(tmp_path / "photos" / "one.jpg", "1").parent
    write(photos / "never-read.jpg", "2")

    def stage() -> dict[str, Any]:
        write(tmp_path / "x", "x")
        return {"sources": {str(photos): {"one.jpg": "its hash"}}}

    record = record_by(stage, tmp_path / "x", photos)
    assert record["sources"] == {str(photos): {"one.jpg": "its hash"}}
    assert record["facts"] == {}


@pytest.mark.parametrize("later", ["other", None])
def test_source_is_hashed_before_the_job(tmp_path: Path, later: str | None) -> None:
    source = write(tmp_path / "weights.bin", "first")
    began = sha256(source)

    def stage() -> None:
        write(tmp_path / "x", "x")
        source.unlink() if later is None else write(source, later)

    assert record_by(stage, tmp_path / "x", source)["sources"] == {str(source): began}


def test_job_has_one_record_that_each_output_finds(tmp_path: Path) -> None:
    sources = [write(tmp_path / name, name) for name in ("b", "a", "c")]
    made = make_all(sources, tmp_path / "made")
    (record,) = tmp_path.rglob(".provenance/*")
    assert record == tmp_path / "made" / ".provenance" / "b.json" == record_path(made)
    assert all(record_of(path) == read_record(record) for path in made)
    assert read_record(record)["outputs"] == {path.name: sha256(path) for path in made}
    # it has times, so that no result may depend on it
    again = record_of(make_all(sources, tmp_path / "again")[0])
    assert again["outputs"] == read_record(record)["outputs"]


def test_job_made_again_replaces_its_record(tmp_path: Path) -> None:
    for text in ("first", "second"):
        made = make(write(tmp_path / "a", text), tmp_path / "made")
    assert list(tmp_path.rglob(".provenance/*")) == [record_path([made])]
    assert record_of(made)["outputs"] == {"a": sha256(made)}


def test_newest_record_of_a_result_counts(tmp_path: Path, monkeypatch) -> None:
    """Code that gives a job other outputs leaves the record of the older job."""
    old, new = "2024-01-01T00:00:00+00:00", "2024-01-01T00:00:01+00:00"
    folder = tmp_path / "made"
    for now, names in ((new, "ab"), (old, "zbx"), (old, "cb")):
        monkeypatch.setattr(record_module, "_now", lambda now=now: now)
        make_all([write(tmp_path / name, now) for name in names], folder)
    assert list(record_of(folder / "b")["outputs"]) == ["a", "b"]
    assert list(record_of(folder / "x")["outputs"]) == ["b", "x", "z"]


def test_outputs_in_several_folders_are_refused_before_the_job(tmp_path: Path) -> None:
    outputs = [tmp_path / "one" / "a", tmp_path / "two" / "b"]
    with pytest.raises(ValueError, match="all outputs of a job in one folder"):
        run_stage(copy_files, {"files": [], "folder": tmp_path / "one"}, outputs=outputs)
    assert not (tmp_path / "one").exists()


def test_damaged_record_affects_only_its_own_outputs(tmp_path: Path) -> None:
    first, second = (make(write(tmp_path / name, name), tmp_path / "made") for name in "ab")
    write(record_path([first]), "{")
    write(record_path([first]).with_name(".partial-1-a.json"), "{")
    assert list(record_of(second)["outputs"]) == ["b"]
    assert make(second, tmp_path / "last").exists()
    with pytest.raises(
        SystemExit, match=r"\.provenance/a\.json: expected the record .* make a again"
    ):
        make(first, tmp_path / "last")


def test_failed_job_writes_no_record(tmp_path: Path) -> None:
    values = {"files": [tmp_path / "no-such-file"], "folder": tmp_path}
    with pytest.raises(SystemExit, match="no-such-file"):
        run_stage(copy_files, values, outputs=[Path("x")])
    assert list(tmp_path.rglob("*.json")) == []


def test_command_line_writes_no_record(tmp_path: Path) -> None:
    source = write(tmp_path / "a.txt", "a")
    arguments = ["--files", str(source), "--folder", str(tmp_path / "made")]
    main(["tests.provenance.making:copy_files", *arguments])
    assert (tmp_path / "made" / "a.txt").exists()
    assert list(tmp_path.rglob("*.json")) == []


def test_job_refuses_a_changed_input(tmp_path: Path) -> None:
    first = make(write(tmp_path / "a.txt", "a"), tmp_path / "first")
    write(first, "other")
    with pytest.raises(SystemExit, match=rf"error: {first}: changed since it was made, by the ha"):
        make(first, tmp_path / "second")
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize("text", ["other", None])
def test_changed_file_in_an_input_folder_is_named(tmp_path: Path, text: str | None) -> None:
    folder = tmp_path / "shards"
    for name in ("a.tar", "b.tar"):
        write(folder / name, name)
    run_stage(copy_files, {"files": [], "folder": tmp_path / "empty"}, outputs=[folder])
    make(write(tmp_path / "c", "c"), tmp_path / "made", folder)
    (folder / "b.tar").unlink() if text is None else write(folder / "b.tar", text)
    with pytest.raises(SystemExit, match=rf"error: {folder}/b\.tar: changed since .*delete "):
        make(tmp_path / "c", tmp_path / "made", folder)


def test_system_files_in_a_folder_are_ignored(tmp_path: Path) -> None:
    folder = write(tmp_path / "photos" / "one.jpg", "1").parent
    for name in (".DS_Store", ".snakemake_timestamp"):
        write(folder / name, "")
    record = record_of(make(write(tmp_path / "c", "c"), tmp_path / "made", folder))
    assert list(record["sources"][str(folder)]) == ["one.jpg"]


def test_any_flipped_bit_of_a_record_is_found(tmp_path: Path, long: bool) -> None:
    record = record_path([make(write(tmp_path / "a.txt", "a"), tmp_path / "made")])
    whole = record.read_bytes()
    step = 1 if long else 31
    for i in range(0, len(whole) - 1, step):  # without the last newline, which has no meaning
        changed = bytearray(whole)
        changed[i] ^= 1 << i % 8
        record.write_bytes(changed)
        with pytest.raises(InputError, match=r"\.provenance/a\.txt\.json: "):
            read_record(record)
    record.write_bytes(whole)
    assert read_record(record)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"seal": 1}'])
def test_invalid_record_is_refused(tmp_path: Path, text: str) -> None:
    made = make(write(tmp_path / "a.txt", "a"), tmp_path / "made")
    record_path([made]).write_text(text)
    with pytest.raises(InputError, match=r"a\.txt\.json: "):
        Records().find(made)


def test_record_of_another_file_is_refused(tmp_path: Path) -> None:
    """The files may have the same bytes, or one may be an input of the other."""
    first, second = (make(write(tmp_path / name, "x"), tmp_path / "made") for name in "ab")
    record_path([first]).write_bytes(record_path([second]).read_bytes())
    with pytest.raises(InputError, match=r"a\.json: expected .*, found that of b: make a again"):
        Records().find(first)
