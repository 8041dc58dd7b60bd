"""Market-1501, and the layout and file names that other datasets took over from it.

Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015, and the readme of the
archive.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from pipeline.data.datasets.base import IMAGE, Dataset, Label, Layout, Part, counts, folders
from pipeline.data.names import WHOLE_QUERY

FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
WHOLE_BODY = "query_whole_body"
"""The folder of queries without occlusion, which the synthetic benchmark has."""
EXAMPLE = "0002_c1s1_000451_03.jpg"
# as lenient as the field's readers: 1488_c1s6_023021_00.jpg.jpg and endings in capitals go round
_NAME = re.compile(rf"(-1|\d{{1,18}})_c(\d{{1,9}})(?!\d)[^/]*\.{IMAGE}", re.ASCII | re.IGNORECASE)


def parse_name(name: PurePosixPath | str) -> Label | None:
    """Identity and camera of `0002_c1s1_000451_03.jpg`; None for a name of another form.

    Cameras count from 1, as in the names.
    """
    match = _NAME.fullmatch(str(name))
    return Label(int(match[1]), int(match[2])) if match else None


def market_layout(top: str = "") -> Layout:
    """The three folders of Market-1501 below `top`, and WHOLE_BODY where it is there."""
    parts = (Part(split, top + name, parse_name) for split, name in FOLDERS.items())
    return folders(EXAMPLE, *parts, optional=[Part(WHOLE_QUERY, top + WHOLE_BODY, parse_name)])


# Of the 19,732 images of bounding_box_test, 3,819 are junk. The gallery's identities are the 750 of
# the queries and the distractors, 2,798 images.
MARKET1501 = Dataset(
    title="Market-1501",
    layouts=(market_layout(),),
    archive="Market-1501-v15.09.15.zip",
    terms="Zheng et al., ICCV 2015: for research, not to be passed on.",
    counts=counts(train=(751, 12936), query=(750, 3368), gallery=(751, 15913)),
    cameras=frozenset(range(1, 7)),
    reported={
        "md5": "65005ab7d12ec1c44de4eeafe813e68a",
        "sha256": "416bb77b5a2449b32e936f623cbee58becf1a9e7e936f36380cb8f9ab928fe96",
    },
)
