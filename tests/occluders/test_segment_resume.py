"""A killed segmentation resumes where it was, and ends with the same bytes."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from pipeline.errors import InputError
from pipeline.files import sha256
from pipeline.occluders import segment as stage
from pipeline.occluders.sam import small_sam
from pipeline.occluders.segment import segment
from pipeline.options.compute import ComputeOptions
from pipeline.options.occluders import GeneratorOptions, SamOptions, SourceOptions

pytestmark = pytest.mark.no_cover  # slower by half; other tests reach these lines

LOOSE = GeneratorOptions(points_per_side=4, predicted_iou=0.0, stability=0.0, box_nms=0.9)
QUICK = LOOSE.model_copy(update={"points_per_side": 1})
CPU = ComputeOptions(device="cpu")
COUNT = 8


@pytest.fixture
def sam(tmp_path: Path) -> SamOptions:
    torch.manual_seed(0)
    save_file(small_sam().state_dict(), tmp_path / "random.safetensors")
    return SamOptions(model="small", checkpoint=str(tmp_path / "random.safetensors"))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Eight small images, and one broken file."""
    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        pixels = rng.integers(0, 256, (64, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
    (tmp_path / "images" / "3broken.png").write_bytes(b"no image")
    return tmp_path / "images"


LIST = SourceOptions(on_corrupt="list")


def run(folder: Path, images: Path, sam: SamOptions, generator: GeneratorOptions = QUICK) -> bytes:
    paths = (folder / name for name in ("masks.jsonl", "checkpoint"))
    segment(images, *paths, sam, generator, CPU, LIST)
    assert not (folder / "checkpoint").exists()
    return (folder / "masks.jsonl").read_bytes()


def start_until_lines(
    warm: Path, folder: Path, images: Path, sam: SamOptions, lines: int
) -> subprocess.Popen[bytes]:
    """Start the stage in a process; return when its journal has `lines` lines."""
    options = {"sam": sam, "generator": LOOSE, "compute": CPU, "source": LIST}
    words = [str(warm / "python"), "-m", "pipeline.launcher", "pipeline.occluders.segment:segment"]
    words += ["--images", str(images)]
    words += ["--masks", str(folder / "masks.jsonl"), "--checkpoint", str(folder / "checkpoint")]
    for name, section in options.items():
        words += [f"--{name}", section.model_dump_json()]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    checkpoint = folder / "checkpoint"
    while not checkpoint.is_file() or checkpoint.read_bytes().count(b"\n") <= lines:
        assert child.poll() is None, "the child ended before it was killed"
        time.sleep(0.001)
    return child


def kill_after_lines(warm: Path, folder: Path, images: Path, sam: SamOptions, lines: int) -> None:
    with start_until_lines(warm, folder, images, sam, lines) as child:
        child.kill()
        child.communicate()  # waits for its fork too
    assert child.returncode == -signal.SIGKILL, "the child ended before it was killed"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record the numbers of the images that SAM runs on."""
    numbers: list[int] = []
    real = stage._segment_image

    def watched(find, images, number, name):
        numbers.append(number)
        return real(find, images, number, name)

    monkeypatch.setattr(stage, "_segment_image", watched)
    return numbers


def test_killed_job_resumes_to_the_same_bytes(
    images: Path, sam: SamOptions, tmp_path: Path, seen: list[int], warm: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    expected = run(whole, images, sam, LOOSE)
    assert seen == [0, 1, 2, 3, 5, 6, 7, 8]  # 4 is broken
    kill_after_lines(warm, killed, images, sam, lines=2)
    assert not (killed / "masks.jsonl").exists()
    done = (killed / "checkpoint").read_bytes().count(b"\n") - 1
    assert 2 <= done <= COUNT
    seen.clear()
    assert run(killed, images, sam, LOOSE) == expected
    assert seen == [number for number in range(done, COUNT + 1) if number != 4]


def test_second_job_waits_for_the_first(
    images: Path, sam: SamOptions, tmp_path: Path, capfd: pytest.CaptureFixture[str], warm: Path
) -> None:
    """Two jobs use the same journal: neither reads the other's incomplete lines."""
    for number in range(3, COUNT):
        (images / f"{number}.png").unlink()
    expected = run(tmp_path / "whole", images, sam, LOOSE)
    with start_until_lines(warm, tmp_path, images, sam, lines=1) as child:
        assert run(tmp_path, images, sam, LOOSE) == expected
        child.communicate()
    assert child.returncode == 0
    assert "masks.jsonl: locked by another process" in capfd.readouterr().err


@pytest.fixture
def stopped(images: Path, sam: SamOptions, tmp_path: Path, seen: list[int]) -> Path:
    """A folder with the journal of a job that stopped after three images."""
    folder = tmp_path / "stopped"
    real = stage._segment_image

    def fails(find, images, number, name):
        if number == 3:
            raise KeyboardInterrupt
        return real(find, images, number, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "_segment_image", fails)
        with pytest.raises(KeyboardInterrupt):
            run(folder, images, sam)
    assert (folder / "checkpoint").read_bytes().count(b"\n") == 4
    seen.clear()
    return folder


@pytest.mark.parametrize(
    "incomplete", [b'{"image": {"image_id": 3, "wid', b"\0" * 64 + b"\n", b"{}"]
)
def test_incomplete_last_line_is_made_again(
    stopped: Path, images: Path, sam: SamOptions, tmp_path: Path, seen: list[int], incomplete: bytes
) -> None:
    with open(stopped / "checkpoint", "ab") as file:
        file.write(incomplete)
    found = run(stopped, images, sam)
    assert seen[0] == 3
    assert found == run(tmp_path / "whole", images, sam)


@pytest.mark.parametrize("change", ["generator", "checkpoint", "image", "header"])
def test_journal_of_another_job_is_ignored(
    stopped: Path, images: Path, sam: SamOptions, seen: list[int], change: str
) -> None:
    generator = QUICK
    if change == "generator":
        generator = QUICK.model_copy(update={"box_nms": 0.8})
    if change == "checkpoint":
        torch.manual_seed(1)
        save_file(small_sam().state_dict(), sam.checkpoint)
    if change == "image":
        Image.fromarray(np.zeros((64, 48, 3), np.uint8)).save(images / "0.png")
    if change == "header":
        (stopped / "checkpoint").write_bytes(b"")
    run(stopped, images, sam, generator)
    assert seen[0] == 0


def test_broken_image_is_listed_on_its_line_or_stops(
    images: Path, sam: SamOptions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [json.loads(line) for line in run(tmp_path, images, sam).splitlines()]
    assert [number for number, record in enumerate(records) if "unreadable" in record] == [4]
    digest = sha256(images / "3broken.png")
    assert records[4]["image"] == {"image_id": 4, "file_name": "3broken.png", "sha256": digest}
    assert records[4]["annotations"] == []
    assert records[4]["unreadable"].startswith("3broken.png: expected a whole")
    assert str(images / "3broken.png") in capsys.readouterr().out
    paths = (tmp_path / name for name in ("m", "s"))
    with pytest.raises(InputError, match=r"(?s)3broken\.png.*on_corrupt: list"):
        segment(images, *paths, sam, QUICK, CPU, SourceOptions())


def test_limit_samples_the_images(images: Path, sam: SamOptions, tmp_path: Path) -> None:
    names = {}
    for limit, seed in ((3, 0), (5, 0), (3, 1)):
        source = SourceOptions(limit=limit, seed=seed, on_corrupt="list")
        paths = (tmp_path / name for name in ("m", "s"))
        segment(images, *paths, sam, QUICK, CPU, source)
        records = [json.loads(line) for line in (tmp_path / "m").read_text().splitlines()]
        names[limit, seed] = [record["image"]["file_name"] for record in records]
        assert names[limit, seed] == sorted(names[limit, seed])
        assert len(names[limit, seed]) == limit
    assert set(names[3, 0]) < set(names[5, 0])
    assert names[3, 0] != names[3, 1]
