"""The stages hold one image in memory at a time."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.occluders.images import check_images, list_images
from pipeline.occluders.masks import records_with_masks
from pipeline.occluders.sa1b import read_sa1b
from pipeline.occluders.select import select
from pipeline.options.occluders import BankOptions, FilterOptions, SourceOptions
from tests.sa1b_files import add_pair

SIDE = 500
IMAGE = 3 * SIDE**2
"""Bytes of the pixels of one image."""


def bars(count: int) -> list[np.ndarray]:
    """Make disjoint masks, small bars each, in images of full size."""
    masks = [np.zeros((SIDE, SIDE), bool) for _ in range(count)]
    for i, mask in enumerate(masks):
        mask[20 + 15 * i : 30 + 15 * i, 20:280] = True
    return masks


MakeImages = Callable[[str, int, int], Path]


@pytest.fixture
def make_images(tmp_path: Path) -> MakeImages:
    """Make a folder of `count` images with `masks` masks each."""

    def make(name: str, count: int, masks: int) -> Path:
        (tmp_path / name).mkdir()
        for number in range(count):
            add_pair(tmp_path / name, number, bars(masks))
        return tmp_path / name

    return make


def peak(action: Callable[[], object]) -> int:
    """Return the peak memory of Python and numpy in bytes."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def check(images: Path) -> None:
    check_images(images, list_images(images))


def read(images: Path) -> None:
    read_sa1b(images, images.with_suffix(".jsonl"), SourceOptions())


def cut(images: Path) -> None:
    options = BankOptions(minimum=1, longest_side=8, filters=FilterOptions(max_aspect=100.0))
    select(images, *map(images.with_suffix, (".jsonl", ".bank")), options)


@pytest.mark.parametrize("stage", [check, read, cut])
def test_memory_does_not_grow_with_the_number_of_images(
    stage: Callable[[Path], None], make_images: MakeImages
) -> None:
    peaks = []
    for name, count in (
        ("first", 1),
        ("few", 2),
        ("many", 10),
    ):  # the first one triggers lazy imports
        images = make_images(name, count, 1)
        read(images)
        peaks.append(peak(lambda images=images: stage(images)))
    _, few, many = peaks
    assert few > IMAGE
    assert many < few + IMAGE / 2


def test_decoded_masks_hold_their_boxes_only(make_images: MakeImages) -> None:
    images = make_images("images", 1, 30)
    read(images)
    [(_, masks)] = records_with_masks(images.with_suffix(".jsonl"))
    assert sum(mask.pixels.nbytes for mask in masks) == 30 * 10 * 260
    assert all(mask.pixels.base is None for mask in masks)


def test_large_images_give_a_warning(make_images: MakeImages, monkeypatch, capsys) -> None:
    monkeypatch.setattr("pipeline.occluders.images.LARGE", IMAGE // 3 - 1)
    images = make_images("large", 1, 1)
    assert check_images(images, list_images(images)) == {}
    assert f"warning: {images}/sa_0.jpg: {SIDE} x {SIDE} pixels" in capsys.readouterr().err
