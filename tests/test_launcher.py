"""Stages run from the command line and from rules; errors and signals end them cleanly."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, UnidentifiedImageError

from pipeline.errors import InputError
from pipeline.files import atomic_file
from pipeline.launcher import bind, load_stage, run_stage, stage_parser
from pipeline.options.run import ModelOptions
from pipeline.run import Run


def test_command_line_arguments_are_converted():
    received = {}

    def stage(
        parts: list[Path],
        options: ModelOptions,
        seed: int,
        bank: Path | None = None,
        name: str = "x",
    ) -> None:
        """A stage."""
        received.update(parts=parts, options=options, seed=seed, bank=bank, name=name)

    words = ["--parts", "a", "b", "--options", '{"k_min": 7}', "--seed", "3", "--bank", "c"]
    stage(**vars(stage_parser(stage).parse_args(words)))
    assert received == {
        "parts": [Path("a"), Path("b")],
        "options": ModelOptions(k_min=7),
        "seed": 3,
        "bank": Path("c"),
        "name": "x",
    }


@pytest.mark.parametrize("name", ["stage", "missing"])
def test_imports_are_not_searched_for_garbage(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    objects = "objects = [[] for _ in range(100_000)]\n"
    (tmp_path / "many_objects.py").write_text(f"{objects}def stage() -> None: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    collected: list[str] = []
    gc.callbacks.append(lambda phase, info: collected.append(phase))
    try:
        with contextlib.suppress(AttributeError):
            load_stage(f"many_objects:{name}")
        assert not collected
        assert gc.get_freeze_count() > 100_000
        assert gc.isenabled()
    finally:
        gc.callbacks.pop()
        gc.unfreeze()
        sys.modules.pop("many_objects")


@pytest.mark.parametrize(
    "stage", ["data.shards:shard", "evaluation.score:score", "evaluation.open_set:open_set"]
)
def test_a_stage_without_a_network_starts_without_torch(stage: str):
    code = f"""
import sys
from pipeline.launcher import load_stage
load_stage("pipeline.{stage}")
sys.exit("torch" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


JOB = """
import atexit, sys, time
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from pipeline import config
from pipeline.launcher import launch

write = config.write_json
config.write_json = lambda *values: (print("written"), write(*values))

class Named(dict):
    stage = "pipeline.config:write_configuration@hash"
    def __iter__(self):
        return iter(self.values())

class Large:
    def __del__(self):
        print("freed")

def work():
    time.sleep(0.2)
    Path("by_thread").touch()

atexit.large = Large()  # in a module that gc.freeze does not keep
Thread(target=work).start()
atexit.register(lambda: print("at exit", len(sys.path) - len(set(sys.path)), end=""))
sys.path += sys.path
job = SimpleNamespace(input=Named(), output=Named(output="out.json"), wildcards={}, threads=1)
job.params = Named(stage=Named.stage, configuration="{}")
job.rule, job.log = "configuration", ["job.log"]
launch(job)
"""


def run_job(folder: Path, prepare: Callable[[], None] | None = None) -> str:
    """Run JOB in `folder`, in a process that calls `prepare` first; returns its output."""
    command = [sys.executable, "-c", JOB]
    # with PYTHONUNBUFFERED, a missing flush would not be seen
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    found = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        preexec_fn=prepare,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    assert (folder / "out.json").is_file()
    assert (folder / "by_thread").is_file()
    assert (folder / "job.log").read_text() == "written\n"
    return found.stdout


def test_a_job_ends_without_freeing_its_objects(tmp_path: Path):
    assert run_job(tmp_path) == "written\nat exit 0"


@pytest.mark.parametrize("stream", [1, 2])
def test_a_job_ends_well_without_a_standard_stream(tmp_path: Path, stream: int):
    run_job(tmp_path, lambda: os.close(stream))


def test_input_error_exits_with_one_line():
    def stage() -> None:
        raise InputError("photo.jpg: truncated")

    with pytest.raises(SystemExit, match=r"^error: photo.jpg: truncated$"):
        run_stage(stage, {})


def test_invalid_section_names_the_key(capsys):
    def stage(options: ModelOptions) -> None:
        raise AssertionError("not reached")

    with pytest.raises(SystemExit):
        stage_parser(stage).parse_args(["--options", '{"k_mim": 7}'])
    message = capsys.readouterr().err
    assert "--options" in message
    assert "k_mim" in message


def test_operating_system_error_names_the_file(tmp_path):
    def stage() -> None:
        (tmp_path / "missing" / "x").read_bytes()

    with pytest.raises(SystemExit, match=r"^error: .*missing/x: No such file or directory: check"):
        run_stage(stage, {})


def test_full_disk_error_names_the_file(tmp_path):
    def stage() -> None:
        with atomic_file(tmp_path / "x"), open("/dev/full", "w", buffering=1) as device:
            device.write("more\n")

    with pytest.raises(SystemExit, match=r"^error: .*/x: cannot be written \(No space left"):
        run_stage(stage, {})


def test_library_error_keeps_its_traceback(tmp_path):
    """Pillow, torch and requests raise OSErrors too."""

    def stage() -> None:
        with atomic_file(tmp_path / "x"):
            Image.open(io.BytesIO(b"no image"))

    with pytest.raises(UnidentifiedImageError, match="cannot identify image file"):
        run_stage(stage, {})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_a_stage_without_traceback_or_partial_file(tmp_path, number):
    script = """
import sys
import time
from pathlib import Path
from pipeline.launcher import run_stage
from pipeline.files import atomic_folder

def slow(output: Path):
    with atomic_folder(output) as partial:
        (partial / "half").touch()
        print("writing", flush=True)
        time.sleep(60)

run_stage(slow, {"output": Path(sys.argv[2])})
"""
    command = [sys.executable, "-c", script, "--output", str(tmp_path / "shards")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # background jobs of a shell ignore SIGINT, and the tests may be one
    previous_handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, text=True, **pipes)
    signal.signal(signal.SIGINT, previous_handler)
    with process:
        assert process.stdout.readline() == "writing\n"
        process.send_signal(number)
        assert process.stderr.read() == ""
    assert process.returncode == 128 + number
    assert list(tmp_path.iterdir()) == []


@dataclass
class Job:
    """The `snakemake` object of a rule's script."""

    params: dict[str, Any]
    input: dict[str, Any] = field(default_factory=dict)
    output: dict[str, Any] = field(default_factory=dict)
    wildcards: dict[str, str] = field(default_factory=dict)
    threads: int = 1
    rule: str = "some_rule"


def test_rule_names_are_bound_to_stage_parameters():
    def stage(
        runs: list[Run],
        baseline: Run,
        bank: Path | None,
        csv: Path,
        options: ModelOptions,
        seed: int,
        processes: int = 1,
    ) -> None:
        """A stage."""

    files = [f"r/{seed}/{name}" for seed in "ab" for name in ("run.json", "history.csv")]
    job = Job(
        params={"stage": "module:stage@hash", "options": '{"k_min": 7}'},
        input={"runs": files, "baseline": ["r/a/run.json"], "bank": []},
        output={"csv": "t.csv"},
        wildcards={"seed": "3", "variant": "x"},
        threads=2,
    )
    given = bind(stage, job)
    assert [str(run) for run in given.pop("runs")] == ["r/a", "r/b"]
    baseline = given.pop("baseline")
    assert (str(baseline), [*baseline.files]) == ("r/a", ["run.json"])
    assert given == {
        "bank": None,
        "csv": Path("t.csv"),
        "options": ModelOptions(k_min=7),
        "seed": 3,
        "processes": 2,
    }
    job.input["table"] = "other.csv"
    with pytest.raises(TypeError, match="rule some_rule: stage has no parameter table"):
        bind(stage, job)


def test_run_reads_only_files_that_its_rule_declares(tmp_path):
    for name in ("run.json", "history.csv"):
        (tmp_path / name).write_text("{}")
    (run,) = Run.from_files([tmp_path / "run.json"])
    assert run.path("run.json") == tmp_path / "run.json"
    with pytest.raises(LookupError, match=r"history\.csv: not an input of this stage"):
        _ = run.history
