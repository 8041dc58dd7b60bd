"""A stage is run by its signature: from the command line, and by a rule's names."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, UnidentifiedImageError

from pipeline.errors import InputError
from pipeline.files import atomic_file
from pipeline.launcher import run_stage, stage_parser
from pipeline.options.run import ModelOptions


def test_arguments_arrive_with_their_types():
    seen = {}

    def stage(
        parts: list[Path],
        options: ModelOptions,
        seed: int,
        bank: Path | None = None,
        name: str = "x",
    ) -> None:
        """A stage."""
        seen.update(parts=parts, options=options, seed=seed, bank=bank, name=name)

    words = ["--parts", "a", "b", "--options", '{"k_min": 7}', "--seed", "3", "--bank", "c"]
    stage(**vars(stage_parser(stage).parse_args(words)))
    assert seen == {
        "parts": [Path("a"), Path("b")],
        "options": ModelOptions(k_min=7),
        "seed": 3,
        "bank": Path("c"),
        "name": "x",
    }


def test_bad_input_ends_in_one_line():
    def stage() -> None:
        raise InputError("photo.jpg: truncated")

    with pytest.raises(SystemExit, match=r"^error: photo.jpg: truncated$"):
        run_stage(stage, {})


def test_a_section_that_does_not_validate_names_the_key(capsys):
    def stage(options: ModelOptions) -> None:
        raise AssertionError("not reached")

    with pytest.raises(SystemExit):
        stage_parser(stage).parse_args(["--options", '{"k_mim": 7}'])
    message = capsys.readouterr().err
    assert "--options" in message
    assert "k_mim" in message


def test_an_operating_system_error_names_the_file(tmp_path):
    def stage() -> None:
        (tmp_path / "missing" / "x").read_bytes()

    with pytest.raises(SystemExit, match=r"^error: .*missing/x: No such file or directory: check"):
        run_stage(stage, {})


def test_a_full_disk_is_said_of_the_file_that_was_written(tmp_path):
    def stage() -> None:
        with atomic_file(tmp_path / "x"), open("/dev/full", "w", buffering=1) as device:
            device.write("more\n")

    with pytest.raises(SystemExit, match=r"^error: .*/x: cannot be written \(No space left"):
        run_stage(stage, {})


def test_an_error_of_a_library_is_not_taken_for_a_full_disk(tmp_path):
    """Pillow's, torch's and requests' errors are OSErrors too."""

    def stage() -> None:
        with atomic_file(tmp_path / "x"):
            Image.open(io.BytesIO(b"no image"))

    with pytest.raises(UnidentifiedImageError, match="cannot identify image file"):
        run_stage(stage, {})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_stage_without_a_traceback_or_half_a_file(tmp_path, number):
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
    # a shell lets what it runs in the background ignore Ctrl-C, and tests may run there
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, text=True, **pipes)
    signal.signal(signal.SIGINT, before)
    with process:
        assert process.stdout.readline() == "writing\n"
        process.send_signal(number)
        assert process.stderr.read() == ""
    assert process.returncode == 128 + number
    assert list(tmp_path.iterdir()) == []
