"""A user's own crops: a folder per split with labels in the file names, or a table."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from pipeline.data.datasets.base import IMAGE, Dataset, Label, Layout, Part, folders
from pipeline.data.datasets.market1501 import EXAMPLE
from pipeline.data.datasets.table import TABLE, read_table
from pipeline.data.names import JUNK, SPLITS
from pipeline.data.numbering import parse_integer

_CAMERA = r"_c(\d{1,9})(?!\d)"
_NAME = re.compile(rf"([^/]+?){_CAMERA}[^/]*\.{IMAGE}", re.ASCII | re.IGNORECASE)


def parse_own_name(name: PurePosixPath) -> Label | None:
    """Parse identity (any text) and camera of `person_17_c2_0001.jpg`; None for another form.

    None also for several cameras, and for negative identities other than -1.
    """
    match = _NAME.fullmatch(str(name))
    cameras = re.findall(_CAMERA, str(name), re.ASCII | re.IGNORECASE)
    if match is None or len(cameras) != 1 or (parse_integer(match[1]) or 0) < JUNK:
        return None
    return Label(match[1], int(match[2]))


def _split_folders(*required: str) -> Layout:
    """Return a layout with a folder per split; only those of `required` must exist."""
    layout = folders(EXAMPLE, *(Part(split, split, parse_own_name) for split in SPLITS))
    return layout._replace(names=required)


FOLDER = Dataset(
    title="your own images",
    layouts=(
        Layout((TABLE,), read_table),
        _split_folders("train"),
        _split_folders("query", "gallery"),  # for testing only
    ),
    archive=f"a folder with {TABLE}, or with train, query and gallery",
    advice=f"rename the folders, or write {TABLE}",
)
