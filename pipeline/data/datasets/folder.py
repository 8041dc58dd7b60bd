"""A user's own crops: three folders with telling file names, or a table beside any files."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from pipeline.data.datasets.base import IMAGE, Dataset, Label, Layout, Part, folders
from pipeline.data.datasets.market1501 import EXAMPLE
from pipeline.data.datasets.table import TABLE, read_table
from pipeline.data.names import JUNK, SPLITS
from pipeline.data.numbering import whole_number

_CAMERA = r"_c(\d{1,9})(?!\d)"
_NAME = re.compile(rf"([^/]+?){_CAMERA}[^/]*\.{IMAGE}", re.ASCII | re.IGNORECASE)


def parse_own_name(name: PurePosixPath) -> Label | None:
    """Identity (any text) and camera of `person_17_c2_0001.jpg`; None for a name of another form.

    A name has one camera, and a negative number other than -1 is no identity.
    """
    match = _NAME.fullmatch(str(name))
    cameras = re.findall(_CAMERA, str(name), re.ASCII | re.IGNORECASE)
    if match is None or len(cameras) != 1 or (whole_number(match[1]) or 0) < JUNK:
        return None
    return Label(match[1], int(match[2]))


def _named_folders(*known_by: str) -> Layout:
    """A folder for each split, of which only those of `known_by` must be there."""
    layout = folders(EXAMPLE, *(Part(split, split, parse_own_name) for split in SPLITS))
    return layout._replace(names=known_by)


FOLDER = Dataset(
    title="your own images",
    layouts=(
        Layout((TABLE,), read_table),
        _named_folders("train"),
        _named_folders("query", "gallery"),  # to test on only
    ),
    archive=f"a folder with {TABLE}, or with train, query and gallery",
    advice=f"name the folders so, or write {TABLE}",
)
