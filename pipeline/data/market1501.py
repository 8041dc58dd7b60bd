"""Market-1501: layout, file names and published facts.

Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015, and the readme of the
archive, Market-1501-v15.09.15.zip.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from pipeline.data.images import SUFFIXES
from pipeline.options import SplitCounts

FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
JUNK = -1
"""Identity of detections that show nobody in full: neither right nor wrong, so left out."""
DISTRACTOR = 0
"""Identity of gallery images of nobody who is searched for: they stay in the gallery."""

# Of the 19,732 images of bounding_box_test, 3,819 are junk. The gallery's identities are the 750 of
# the queries and the distractors, 2,798 images.
COUNTS = {
    "train": SplitCounts(identities=751, images=12936),
    "query": SplitCounts(identities=750, images=3368),
    "gallery": SplitCounts(identities=751, images=15913),
}

# Reported by third parties, not by the authors: a difference is worth a warning, no more.
MD5 = "65005ab7d12ec1c44de4eeafe813e68a"
SHA256 = "416bb77b5a2449b32e936f623cbee58becf1a9e7e936f36380cb8f9ab928fe96"

PATTERN = "<identity>_c<camera>*.jpg"
_NAME = re.compile(rf"(-1|\d+)_c(\d+)[^.]*\.({'|'.join(sorted(SUFFIXES))})", re.ASCII)


class Label(NamedTuple):
    """What a file name says."""

    identity: int
    camera: int


def parse_name(name: str) -> Label | None:
    """Identity and camera of `0002_c1s1_000451_03.jpg`; None for a name of another form.

    Cameras count from 1, as in the names. The stem may not hold dots: it becomes the shard's key.
    """
    match = _NAME.fullmatch(name)
    return Label(int(match[1]), int(match[2])) if match else None


def find_layout(folder: Path) -> Path | None:
    """The folder that holds the three split folders: `folder` or its only child that does."""
    candidates = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    found = [c for c in candidates if all((c / name).is_dir() for name in FOLDERS.values())]
    return found[0] if len(found) == 1 else None
