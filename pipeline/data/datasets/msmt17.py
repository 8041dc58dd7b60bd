"""MSMT17, versions 1 and 2 (faces masked): Wei et al., CVPR 2018.

Four lists say what belongs to which split. People are numbered from 0 in training and from 0 again
in the test set, but are different ones; and 0 means nobody in a manifest. So training counts from
1, and the test set goes on after the 1,041 people of training. Training is on `train` alone or
with the validation images of the same people: results differ, so each is a dataset by its name.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from pipeline.data.datasets.base import IMAGE, Dataset, Label, Layout, Listed, counts
from pipeline.errors import InputError, some

TRAIN_IDENTITIES = 1041
_FOLDERS = (("train", "test"), ("mask_train_v2", "mask_test_v2"))
_LISTS = {"train": "train", "val": "train", "query": "query", "gallery": "gallery"}
"""The split that each list goes to."""
_LINE = re.compile(rf"(\d+/\d+_\d+_(\d+)_[^/\s]*\.{IMAGE})\s+(\d+)", re.ASCII | re.IGNORECASE)


def _read_list(folder: Path, name: str, images: str) -> list[Listed]:
    """The images of list_<name>.txt, which are below the folder `images`."""
    path = f"list_{name}.txt"
    split = _LISTS[name]
    first = 1 if split == "train" else 1 + TRAIN_IDENTITIES
    found: list[Listed] = []
    wrong: list[str] = []
    for line in (folder / path).read_text(encoding="utf-8", errors="replace").splitlines():
        match = _LINE.fullmatch(line.strip())
        if match and (folder / images / match[1]).is_file():
            label = Label(int(match[3]) + first, int(match[2]))
            found.append(Listed(f"{images}/{match[1]}", split, label))
        elif line.strip():
            wrong.append(line.strip())
    if wrong:
        raise InputError(
            f"{path}: expected an image of {images} and a number on each line, found "
            f"{len(wrong)} others: {some(wrong)}"
        )
    return found


def _read(lists: tuple[str, ...], train: str, test: str, folder: Path) -> list[Listed]:
    places = {"train": train, "query": test, "gallery": test}
    return [image for name in lists for image in _read_list(folder, name, places[_LISTS[name]])]


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
