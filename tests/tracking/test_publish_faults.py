"""Publishing that is killed, done twice at once, or finds its database locked, gone or damaged."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.files import read_json
from pipeline.launcher import main
from pipeline.tracking import relocate
from tests.cases import long_but
from tests.faults import FULL, READ_ONLY, file_limit, on_disk
from tests.tracking.publishing import STARTED_MS, Project, check_runs

pytestmark = pytest.mark.no_cover  # slower by half; other tests reach these lines

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was published once, for the tests to copy."""
    made = Project(tmp_path_factory.mktemp("results") / "here").make()
    made.publish()
    return made.folder


@pytest.fixture
def project(published: Path, tmp_path: Path) -> Project:
    """A copy of that project, published where it is now."""
    project = Project(shutil.copytree(published, tmp_path / "here"))
    project.publish()
    return project


def check_whole(project: Project) -> None:
    """One run of each name, finished, of the files that are there, and no other artifacts."""
    check_runs(project)
    active = project.active()
    assert project.artifacts() == {*active.values(), *project.models().values()}
    assert not list(project.folder.glob(".partial-*"))
    receipt = read_json(project.folder / "receipt.json")
    assert {entry["name"]: entry["run_id"] for entry in receipt} == active


def start(warm: Path, project: Project) -> subprocess.Popen[str]:
    words = [str(warm / "python"), *project.command()[1:]]
    return subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def kill_after(process: subprocess.Popen[str], said: str, seconds: float) -> bool:
    """Kill it so long after its stderr had `said`; False if it was done before."""
    assert process.stderr is not None
    text = ""
    while said not in text and (character := process.stderr.read(1)):
        text += character
    assert said in text, text
    time.sleep(seconds)
    process.kill()
    process.communicate()  # up to the end of all that can print, its fork too
    return process.returncode == -signal.SIGKILL


def test_two_workflows_at_once_leave_one_run_of_each(
    tmp_path: Path, warm: Path, long: bool
) -> None:
    """From no database at all; at length also when there is one and all runs have changed."""
    project = Project(tmp_path / "results").make()
    for attempt in range(6 if long else 1):
        project.change(10.0 * attempt)
        processes = [start(warm, project) for _ in range(2)]
        said = [process.communicate()[1] for process in processes]
        assert [process.returncode for process in processes] == [0, 0], said
        check_whole(project)


def test_publishing_that_was_killed_is_made_whole_by_the_next(
    project: Project, warm: Path, long: bool
) -> None:
    rng, kills = random.Random(3), 0
    for attempt in range(25 if long else 1):
        project.change(100.0 * attempt)
        kills += kill_after(start(warm, project), "publish:", rng.uniform(0, 0.6))
        project.publish()
        check_whole(project)
    assert kills


@pytest.mark.long
def test_killed_while_the_database_is_made(tmp_path: Path, warm: Path, long: bool) -> None:
    project = Project(tmp_path / "results").make()
    rng = random.Random(4)
    for _ in range(10 if long else 1):
        (project.folder / "mlflow.db").unlink(missing_ok=True)
        process = start(warm, project)
        while not list(project.folder.glob(".partial-*-mlflow.db")):
            assert process.poll() is None
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 2))
        process.kill()
        process.communicate()
    project.publish()
    active = project.active()
    assert len(active) == len(project.runs) + 1
    assert not list(project.folder.glob(".partial-*"))


def hold(database: Path, seconds: float) -> threading.Thread:
    """Another program that locks the database for so long."""
    script = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""
    command = [sys.executable, "-c", script, str(database), str(seconds)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    waiter = threading.Thread(target=holder.communicate)
    waiter.start()
    return waiter


def test_a_locked_database_is_waited_for(project: Project) -> None:
    project.change(1.0)
    holder = hold(project.folder / "mlflow.db", 3)
    project.publish()
    holder.join()
    check_whole(project)


@pytest.mark.long
def test_a_database_that_stays_locked_says_what_to_do(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relocate, "PATIENCE", 0.5)
    before = project.active()
    project.change(2.0)
    holder = hold(project.folder / "mlflow.db", 4)
    with pytest.raises(InputError, match=r"mlflow\.db: database is locked: end other programs"):
        project.publish()
    holder.join()
    assert project.active() == before
    project.publish()
    check_whole(project)


@pytest.mark.parametrize(
    "damage", long_but(["no database", "cut off", "overwritten"], "no database", "cut off")
)
def test_a_damaged_database_is_left_as_it_is(project: Project, damage: str) -> None:
    database = project.folder / "mlflow.db"
    whole = database.read_bytes()
    half = len(whole) // 2
    damaged = {
        "no database": b"not a database" * 1000,
        "cut off": whole[:half],
        "overwritten": whole[:8192] + b"\xff" * half + whole[8192 + half :],
    }[damage]
    database.write_bytes(damaged)
    with pytest.raises(
        InputError, match=r"mlflow\.db: .*(malformed|not a database): .*move it away"
    ):
        project.publish()
    assert database.read_bytes() == damaged


def test_a_database_that_is_gone_is_made_anew(published: Path, tmp_path: Path) -> None:
    project = Project(shutil.copytree(published, tmp_path / "here"))
    (project.folder / "mlflow.db").unlink()
    receipt = (project.folder / "receipt.json").read_bytes()
    shutil.rmtree(project.folder / "mlflow_artifacts")
    project.publish()
    check_whole(project)
    assert (project.folder / "receipt.json").read_bytes() != receipt


def assert_explained(said: str) -> None:
    """It ends in one line for the user; the progress bar may stand around it."""
    assert re.search(r"(^|\])error: ", said, re.MULTILINE), said
    assert "Traceback" not in said


@pytest.mark.long
def test_a_read_only_folder_names_the_database_and_what_to_do(project: Project) -> None:
    project.change(5.0)
    before = (project.folder / "mlflow.db").read_bytes()
    code, said, _ = on_disk(READ_ONLY, project.folder, project.command(), ROOT)
    assert code == 1
    assert_explained(said)
    assert "Read-only file system" in said or "see that it can be written" in said
    assert (project.folder / "mlflow.db").read_bytes() == before
    project.publish()
    check_whole(project)


def test_a_full_disk_is_named_and_leaves_no_half_of_a_database(tmp_path: Path) -> None:
    project = Project(tmp_path / "results").make()
    (tmp_path / "disk").mkdir()
    words = project.command()
    words[words.index("--database") + 1] = str(tmp_path / "disk" / "mlflow.db")
    code, said, names = on_disk(FULL, tmp_path / "disk", words, ROOT)
    assert code == 1
    assert_explained(said)
    assert "mlflow.db" in said
    assert not names - {".mlflow.db.lock"}


@pytest.mark.parametrize("limit", long_but(["database", "artifacts"], "artifacts"))
def test_a_disk_that_fills_up_on_the_way_is_named(project: Project, limit: str) -> None:
    """A real fault: no file may grow beyond the database's size, or that of a run's files."""
    project.change(7.0)
    if limit == "artifacts":
        (project.runs[2] / "weights.safetensors").write_bytes(bytes(4_000_000))
    size = (project.folder / "mlflow.db").stat().st_size if limit == "database" else 3_000_000
    with file_limit(size), pytest.raises(SystemExit, match=r"^error: "):
        main(project.command()[3:])
    project.publish()
    check_whole(project)


def test_a_clock_that_was_set_back_during_a_run_does_not_turn_its_curve_round(
    project: Project,
) -> None:
    for run in project.runs:
        record = read_json(run / "run.json") | {"finished": "2024-01-02T02:00:00+00:00"}
        (run / "run.json").write_text(json.dumps(record))
    project.publish()
    client, run_id = project.client(), project.active()["dpeformer-seed1"]
    shown = client.get_run(run_id).info
    assert (shown.start_time, shown.end_time) == (STARTED_MS, STARTED_MS)
    moments = [metric.timestamp for metric in client.get_metric_history(run_id, "loss")]
    assert moments == sorted(moments)
    assert min(moments) >= STARTED_MS
