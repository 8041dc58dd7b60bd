"""Atomic writes, locks and JSON files."""

import os
import signal
import subprocess
import sys

import pytest

from pipeline.files import atomic_file, atomic_folder, exclusive, read_json, sha256, write_json


def fill_half(path):
    """Write a part of a file, then fail as on a full disk."""
    path.write_text("half")
    with open("/dev/full", "w", buffering=1) as device:
        device.write("more\n")


def test_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(OSError, match="No space"), atomic_file(path) as partial:
        fill_half(partial)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_keeps_the_old_folder(tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    (folder / "a").write_text("old")
    with pytest.raises(OSError, match="No space"), atomic_folder(folder) as partial:
        fill_half(partial / "b")
    assert [path.name for path in tmp_path.rglob("*")] == ["shards", "a"]


def test_new_folder_replaces_the_old_one(tmp_path):
    folder = tmp_path / "shards"
    for name in "ab":
        with atomic_folder(folder) as partial:
            (partial / name).write_text(name)
    assert [path.name for path in folder.iterdir()] == ["b"]


def test_full_disk_leaves_no_partial_file(tmp_path):
    """A limit of 1 KiB per file stands in for a full disk."""
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
    """Start a process that is writing a file until its stdin closes."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", WRITE, kind, str(path)], text=True, **pipes)
    assert process.stdout.readline() == "writing\n"
    return process


@pytest.mark.parametrize("kind", ["atomic_file", "atomic_folder"])
def test_partial_output_of_a_killed_process_is_deleted(tmp_path, kind):
    """Output of a running process, and other hidden files, are kept."""
    path = tmp_path / "shards"
    (tmp_path / ".partial-shards").write_text("a download")
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


def test_lock_of_a_killed_process_is_released(tmp_path):
    path = tmp_path / "masks.jsonl"
    with start_writing("exclusive", path) as first:
        command = [sys.executable, "-c", WRITE, "exclusive", str(path)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True, **pipes) as second:
            message = second.stderr.readline()
            assert message == f"{path}: locked by another process: waiting until it ends\n"
            assert second.poll() is None
            first.kill()
            assert second.stdout.read() == "writing\n"
    with exclusive(path):
        pass
    assert second.returncode == 0


def test_partial_output_with_the_own_process_id_is_deleted(tmp_path):
    (tmp_path / f".partial-{os.getpid()}-mlflow.db").write_text("half")
    with atomic_file(tmp_path / "mlflow.db") as partial:
        assert not partial.exists()
        partial.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_partial_output_of_another_users_process_is_kept(tmp_path):
    """Process 1 always runs, as root."""
    (tmp_path / ".partial-1-table.csv").write_text("half")
    with atomic_file(tmp_path / "table.csv") as partial:
        partial.write_text("whole")
    assert (tmp_path / ".partial-1-table.csv").exists()


def test_equal_values_give_identical_json(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": [2.5]})
    write_json(tmp_path / "b.json", {"a": [2.5], "b": 1})
    assert sha256(tmp_path / "a.json") == sha256(tmp_path / "b.json")
    assert read_json(tmp_path / "a.json") == {"a": [2.5], "b": 1}
