"""Market-1501, with the layout and file names that other datasets share.

Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015, and the archive's readme.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from pipeline.data.datasets.base import IMAGE, Dataset, Label, Layout, Part, counts, folders
from pipeline.data.names import WHOLE_QUERY

FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
WHOLE_BODY = "query_whole_body"
"""Folder of queries without occlusion, in the synthetic benchmark."""
EXAMPLE = "0002_c1s1_000451_03.jpg"
# lenient, for copies with names such as 1488_c1s6_023021_00.jpg.jpg and capital suffixes
_NAME = re.compile(rf"(-1|\d{{1,18}})_c(\d{{1,9}})(?!\d)[^/]*\.{IMAGE}", re.ASCII | re.IGNORECASE)


def parse_name(name: PurePosixPath | str) -> Label | None:
    """Parse identity and camera of `0002_c1s1_000451_03.jpg`; None for a name of another form."""
    match = _NAME.fullmatch(str(name))
    return Label(int(match[1]), int(match[2])) if match else None


def market_layout(top: str = "") -> Layout:
    """Return the layout of Market-1501's three folders below `top`; WHOLE_BODY is optional."""
    parts = (Part(split, top + name, parse_name) for split, name in FOLDERS.items())
    return folders(EXAMPLE, *parts, optional=[Part(WHOLE_QUERY, top + WHOLE_BODY, parse_name)])


# bounding_box_test has 19,732 images, 3,819 of them junk. The gallery has the 750 query identities
# and 2,798 distractors, which count as one identity.
MARKET1501 = Dataset(
    title="Market-1501",
    layouts=(market_layout(),),
    archive="Market-1501-v15.09.15.zip",
    terms="Zheng et al., ICCV 2015: for research; do not redistribute.",
    counts=counts(train=(751, 12936), query=(750, 3368), gallery=(751, 15913)),
    cameras=frozenset(range(1, 7)),
    reported={
        "md5": "65005ab7d12ec1c44de4eeafe813e68a",
        "sha256": "416bb77b5a2449b32e936f623cbee58becf1a9e7e936f36380cb8f9ab928fe96",
    },
)
