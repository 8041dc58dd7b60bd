"""A file is whole or absent, whatever happens while it is written."""

import os
import signal
import subprocess
import sys

import pytest

from pipeline.files import atomic_file, atomic_folder, exclusive, read_json, sha256, write_json


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
import sys
from pathlib import Path
from pipeline.launcher import run_stage
from pipeline.files import atomic_file

def fill(output: Path):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
    with atomic_file(output) as partial:
        partial.write_bytes(bytes(10_000))

run_stage(fill, {"output": Path(sys.argv[2])})
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


WRITE = """
import sys
from pathlib import Path
from pipeline.files import atomic_file, atomic_folder, exclusive

path = Path(sys.argv[2])
atomic = {"atomic_file": atomic_file, "atomic_folder": atomic_folder, "exclusive": exclusive}
with atomic[sys.argv[1]](path):
    print("writing", flush=True)
    sys.stdin.read()
"""


def start_writing(kind, path):
    """A process in the middle of a file: it ends when its stdin does."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", WRITE, kind, str(path)], text=True, **pipes)
    assert process.stdout.readline() == "writing\n"
    return process


@pytest.mark.parametrize("kind", ["atomic_file", "atomic_folder"])
def test_what_a_killed_process_left_is_deleted_by_the_next(tmp_path, kind):
    """But for what another process is still writing, and what is not of this file."""
    path = tmp_path / "shards"
    (tmp_path / ".partial-shards").write_text("a download's")
    with start_writing("atomic_folder", path) as alive, start_writing(kind, path) as dead:
        (tmp_path / f".partial-{dead.pid}-shards-top").mkdir()
        dead.send_signal(signal.SIGKILL)
        dead.wait()
        if kind == "atomic_file":
            (tmp_path / f".partial-{dead.pid}-shards").write_text("half")
        with atomic_file(path) as partial:
            partial.write_text("whole")
        names = {".partial-shards", f".partial-{alive.pid}-shards", "shards"}
        assert {found.name for found in tmp_path.iterdir()} == names
        alive.kill()


def test_a_second_process_waits_says_so_and_goes_on_when_the_first_is_killed(tmp_path):
    path = tmp_path / "masks.jsonl"
    with start_writing("exclusive", path) as first:
        command = [sys.executable, "-c", WRITE, "exclusive", str(path)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True, **pipes) as second:
            said = second.stderr.readline()
            assert said == f"{path}: another process works on it: waiting until it ends\n"
            assert second.poll() is None
            first.kill()
            assert second.stdout.read() == "writing\n"
    with exclusive(path):
        pass
    assert second.returncode == 0


def test_what_an_earlier_process_of_the_same_number_left_is_not_taken_up(tmp_path):
    (tmp_path / f".partial-{os.getpid()}-mlflow.db").write_text("half")
    with atomic_file(tmp_path / "mlflow.db") as partial:
        assert not partial.exists()
        partial.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_a_file_of_another_user_s_process_is_left_alone(tmp_path):
    """Process 1 always runs, and is root's."""
    (tmp_path / ".partial-1-table.csv").write_text("half")
    with atomic_file(tmp_path / "table.csv") as partial:
        partial.write_text("whole")
    assert (tmp_path / ".partial-1-table.csv").exists()


def test_json_has_the_same_bytes_for_the_same_value(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": [2.5]})
    write_json(tmp_path / "b.json", {"a": [2.5], "b": 1})
    assert sha256(tmp_path / "a.json") == sha256(tmp_path / "b.json")
    assert read_json(tmp_path / "a.json") == {"a": [2.5], "b": 1}
