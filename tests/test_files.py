"""A file is whole or absent, whatever happens while it is written."""

import subprocess
import sys

import pytest

from pipeline.files import atomic_file, atomic_folder, read_json, sha256, write_json


def fill_half(path):
    """Write something, then find the disk full."""
    path.write_text("half")
    with open("/dev/full", "w", buffering=1) as device:
        device.write("more\n")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(OSError, match="No space"), atomic_file(path) as partial:
        fill_half(partial)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_folder_leaves_the_old_folder_and_nothing_else(tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    (folder / "a").write_text("old")
    with pytest.raises(OSError, match="No space"), atomic_folder(folder) as partial:
        fill_half(partial / "b")
    assert [path.name for path in tmp_path.rglob("*")] == ["shards", "a"]


def test_a_new_folder_takes_the_place_of_the_old(tmp_path):
    folder = tmp_path / "shards"
    for name in "ab":
        with atomic_folder(folder) as partial:
            (partial / name).write_text(name)
    assert [path.name for path in folder.iterdir()] == ["b"]


def test_a_full_disk_leaves_no_half_written_file(tmp_path):
    """A real fault: the process may not write more than 1 KiB to a file."""
    script = """
import resource
from pathlib import Path
from pipeline.cli import run_stage
from pipeline.files import atomic_file

def fill(output: Path):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
    with atomic_file(output) as partial:
        partial.write_bytes(bytes(10_000))

run_stage(fill)
"""
    output = tmp_path / "out.bin"
    done = subprocess.run(
        [sys.executable, "-c", script, "--output", str(output)], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert str(output) in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_json_has_the_same_bytes_for_the_same_value(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": [2.5]})
    write_json(tmp_path / "b.json", {"a": [2.5], "b": 1})
    assert sha256(tmp_path / "a.json") == sha256(tmp_path / "b.json")
    assert read_json(tmp_path / "a.json") == {"a": [2.5], "b": 1}
