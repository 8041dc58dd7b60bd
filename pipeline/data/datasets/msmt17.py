"""MSMT17, versions 1 and 2 (faces masked): Wei et al., CVPR 2018.

Four lists define the splits. Training and test both number their identities from 0, but the people
differ, and 0 means distractor in a manifest: here training starts at 1 and test at 1,042. Training
with and without the validation images gives different results, so they are two datasets.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from pipeline.data.datasets.base import IMAGE, Dataset, Label, LabelledImage, Layout, counts
from pipeline.errors import InputError, some

TRAIN_IDENTITIES = 1041
_FOLDERS = (("train", "test"), ("mask_train_v2", "mask_test_v2"))
_LISTS = {"train": "train", "val": "train", "query": "query", "gallery": "gallery"}
"""The split of each list."""
_LINE = re.compile(rf"(\d+/\d+_\d+_(\d+)_[^/\s]*\.{IMAGE})\s+(\d+)", re.ASCII | re.IGNORECASE)


def _read_list(folder: Path, name: str, images: str) -> list[LabelledImage]:
    """Read list_<name>.txt; its images are below the folder `images`."""
    path = f"list_{name}.txt"
    split = _LISTS[name]
    first = 1 if split == "train" else 1 + TRAIN_IDENTITIES
    found: list[LabelledImage] = []
    invalid: list[str] = []
    for line in (folder / path).read_text(encoding="utf-8", errors="replace").splitlines():
        match = _LINE.fullmatch(line.strip())
        if match and (folder / images / match[1]).is_file():
            label = Label(int(match[3]) + first, int(match[2]))
            found.append(LabelledImage(f"{images}/{match[1]}", split, label))
        elif line.strip():
            invalid.append(line.strip())
    if invalid:
        raise InputError(
            f"{path}: expected an image of {images} and a number on each line, found "
            f"{len(invalid)} others: {some(invalid)}: restore the published list and images"
        )
    return found


def _read(lists: tuple[str, ...], train: str, test: str, folder: Path) -> list[LabelledImage]:
    images = {"train": train, "query": test, "gallery": test}
    return [image for name in lists for image in _read_list(folder, name, images[_LISTS[name]])]


def _msmt17(title: str, train_images: int, lists: tuple[str, ...]) -> Dataset:
    names = tuple(f"list_{name}.txt" for name in _LISTS)
    return Dataset(
        title=title,
        layouts=tuple(
            Layout((train, test, *names), partial(_read, lists, train, test))
            for train, test in _FOLDERS
        ),
        archive="MSMT17_V1.tar.gz (or version 2)",
        terms="Wei et al., CVPR 2018: for research, from the authors on request only.",
        counts=counts(
            train=(TRAIN_IDENTITIES, train_images), query=(3060, 11659), gallery=(3060, 82161)
        ),
        cameras=frozenset(range(1, 16)),
        reported={"md5": "ea5502ae9dd06c596ad866bd1db0280d"},  # of version 1
    )


MSMT17_TRAIN = _msmt17("MSMT17 (train)", 30248, ("train", "query", "gallery"))
MSMT17_TRAINVAL = _msmt17("MSMT17 (train and val)", 30248 + 2373, tuple(_LISTS))
