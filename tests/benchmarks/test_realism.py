"""The distance of sets of images from photographs, on features of known distance."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from benchmarks import realism
from benchmarks.realism import (
    FeatureSet,
    cut_windows,
    images_needed,
    main,
    median_distance,
    probe_accuracy,
    resample_counts,
    squared_mmd,
)

BANDWIDTH = 1.5


class MeanColour(nn.Module):
    """A stand-in for the ImageNet network, whose feature map is the image."""

    def forward_features(self, pixels: Tensor) -> Tensor:
        return pixels


def normal(seed: int, count: int, shift: float = 0.0, width: int = 3) -> FeatureSet:
    values = np.random.default_rng(seed).normal(shift, 1, (count, width))
    return FeatureSet(values, np.arange(count))


def exact_mmd(shift: float, width: int = 3) -> float:
    """Return the MMD of two normal distributions of unit variance, `shift` apart per dimension."""
    variance = BANDWIDTH**2 + 2
    same = (BANDWIDTH**2 / variance) ** (width / 2)
    return 2 * same * (1 - np.exp(-width * shift**2 / (2 * variance)))


@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_the_squared_mmd_is_unbiased(monkeypatch: pytest.MonkeyPatch, shift: float) -> None:
    monkeypatch.setattr(realism, "RESAMPLES", 1)
    found = []
    for seed in range(200):
        one, other = normal(2 * seed, 12), normal(2 * seed + 1, 15, shift)
        found.append(squared_mmd(one, other, resample_counts(one, other), BANDWIDTH)[0])
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - exact_mmd(shift)) < 3 * error


def test_resamples_vary_as_new_samples_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realism, "RESAMPLES", 300)
    found = []
    for seed in range(60):
        one, other = normal(2 * seed, 40), normal(2 * seed + 1, 40, 0.7)
        found.append(squared_mmd(one, other, resample_counts(one, other), BANDWIDTH))
    assert np.mean([f[1:].std() for f in found]) == pytest.approx(
        np.std([f[0] for f in found]), rel=0.35
    )


def test_pairs_of_windows_of_one_photograph_are_ignored() -> None:
    one, other = normal(0, 10), normal(1, 20, 0.5)
    twice = FeatureSet(np.repeat(one.values, 2, axis=0), np.repeat(one.groups, 2))
    plain, repeated = (
        squared_mmd(photographs, other, resample_counts(photographs, other), BANDWIDTH)
        for photographs in (one, twice)
    )
    np.testing.assert_allclose(plain, repeated)
    assert median_distance(one) == pytest.approx(median_distance(twice))


def test_probe_needs_more_images_of_a_more_similar_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realism, "REPEATS", 2)
    groups = np.repeat(np.arange(3), 70)
    photographs = FeatureSet(normal(0, 210, width=8).values, groups)
    far, near, same = (normal(1, 200, shift, 8) for shift in (2.0, 1.1, 0.0))
    needed = [images_needed(probe_accuracy(photographs, images)) for images in (far, near)]
    assert 1 <= int(needed[0]) < int(needed[1])
    assert probe_accuracy(photographs, same).mean() == pytest.approx(0.5, abs=0.07)
    assert images_needed(probe_accuracy(photographs, same)) == "> 128"


def test_windows_show_the_photograph_and_are_never_enlarged() -> None:
    down, across = np.mgrid[:300, :200]
    photograph = np.stack([down % 256, across, down // 256], axis=2).astype(np.uint8)
    windows = cut_windows(photograph, 50, np.random.default_rng(0)).astype(int)
    assert windows.shape == (50, 128, 64, 3)
    widths = windows[:, 64, -1, 1] - windows[:, 64, 0, 1]
    assert widths.min() >= 62
    assert widths.max() <= 150
    assert widths.std() > 10  # at all scales


def write_archive(path: Path, colour: int, count: int = 150) -> Path:
    rng = np.random.default_rng(colour)
    with zipfile.ZipFile(path, "w") as file:
        for number in range(count):
            pixels = rng.normal(colour, 20, (128, 64, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(path.with_suffix(".png"))
            file.write(path.with_suffix(".png"), f"folder/{number}.png")
    return path


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Use the mean colour as network, and plain images as photographs."""
    files = []
    for number, grey in enumerate((70, 90, 110, 130, 150, 170)):
        noise = np.random.default_rng(number).normal(grey, 20, (256, 256, 3))
        files.append(tmp_path / f"photograph{number}.png")
        Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(files[-1])
    monkeypatch.setattr(realism, "find_photographs", lambda: files)
    monkeypatch.setattr(realism, "read_teacher", lambda wheel: MeanColour())
    monkeypatch.setattr(realism, "IMAGES", 200)
    monkeypatch.setattr(realism, "RESAMPLES", 50)
    monkeypatch.setattr(realism, "REPEATS", 1)


@pytest.mark.usefixtures("stand_ins")
def test_prints_both_measures_of_each_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    near, far = write_archive(tmp_path / "near.zip", 125), write_archive(tmp_path / "far.zip", 240)
    main([str(near), str(far)])
    printed = capsys.readouterr().out
    assert "198 windows of 6 photographs: photograph0.png" in printed
    lines = [line for line in printed.splitlines() if line.startswith(str(tmp_path))]
    distances = [float(re.split(r" +", line.removeprefix(str(tmp_path)))[1]) for line in lines[:2]]
    assert distances[0] < distances[1]
    difference = float(lines[1].split("minus the first ")[1].split()[0])
    assert difference == pytest.approx(distances[1] - distances[0], abs=0.002)
    assert len(lines) == 4
    assert all(line.count("±") == len(realism.TRAINING_IMAGES) for line in lines[2:])


@pytest.mark.usefixtures("stand_ins")
def test_set_too_small_for_the_probe_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = write_archive(tmp_path / "few.zip", 125, count=5)
    with pytest.raises(SystemExit):
        main([str(few)])
    assert "expected more than 128 images, found 5" in capsys.readouterr().err


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realism, "PHOTOGRAPHS", {"no_such_package": ("a.png",)})
    with pytest.raises(realism.InputError, match="no_such_package: not installed: pip install"):
        realism.find_photographs()


def test_features_do_not_depend_on_the_batch() -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 128, 64, 3), dtype=np.uint8)
    found = realism.embed(MeanColour(), images)
    expected = torch.from_numpy(images / 127.5 - 1).mean((1, 2)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
