"""Miniatures of all datasets, with their names and layouts.

A miniature has a few identities in every camera; the bytes of an image depend on its name.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from PIL import Image

from pipeline.data.datasets.base import counts
from pipeline.options.data import SplitCounts

FORMATS = {"jpg": "JPEG", "png": "PNG", "tif": "TIFF", "bmp": "BMP"}
SPLITS = ("train", "query", "gallery")
MARKET = ("bounding_box_train", "query", "bounding_box_test")


class Miniature(NamedTuple):
    """The files of a dataset by path, and the counts that ingest must find."""

    files: dict[str, bytes]
    counts: dict[str, SplitCounts]


def encode(image: Image.Image | np.ndarray, file_format: str = "PNG", **options: Any) -> bytes:
    """Return the file of an image or of its pixels."""
    buffer = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def picture(seed: int, suffix: str = "jpg") -> bytes:
    """Return a random smooth image of 32 x 16 pixels (height x width), encoded."""
    pixels = np.random.default_rng([7, seed]).integers(0, 256, (8, 4, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).resize((16, 32), Image.Resampling.BICUBIC)
    return encode(image, FORMATS[suffix])


def pictures(names: Iterable[str]) -> dict[str, bytes]:
    return {name: picture(crc32(name.encode()), name.rpartition(".")[2]) for name in names}


def _below(top: str, files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{top}/{name}": data for name, data in files.items()}


def market(name: str, cameras: int, top: str = "", folders: tuple[str, ...] = MARKET) -> Miniature:
    """Three training and two query identities; `name` has {i} (identity) and {c} (camera)."""
    train, query, gallery = (top + folder for folder in folders)
    everywhere = range(1, cameras + 1)
    names = [f"{train}/" + name.format(i=i, c=c) for i in (2, 7, 11) for c in everywhere]
    names += [f"{query}/" + name.format(i=i, c=1) for i in (1, 3)]
    names += [f"{gallery}/" + name.format(i=i, c=c) for i in (1, 3) for c in everywhere[1:]]
    found = counts(train=(3, 3 * cameras), query=(2, 2), gallery=(2, 2 * (cameras - 1)))
    return Miniature(pictures(names), found)


def market1501() -> Miniature:
    """With junk, distractors and a Windows system file."""
    files, found = market("{i:04d}_c{c}s1_000451_03.jpg", 6)
    extra = [f"bounding_box_test/{i}_c{c}s1_000001_00.jpg" for i in ("-1", "0000") for c in (1, 2)]
    files |= pictures(extra) | {"query/Thumbs.db": b"x", "readme.txt": b"x"}
    gallery = SplitCounts(identities=3, images=found["gallery"].images + 2)
    return Miniature(_below("Market-1501-v15.09.15", files), found | {"gallery": gallery})


def dukemtmc_reid() -> Miniature:
    """With a gallery identity without query."""
    files, found = market("{i:04d}_c{c}_f00{i}{c}182.jpg", 8)
    files |= pictures(["bounding_box_test/0900_c4_f0046182.jpg"])
    gallery = SplitCounts(identities=3, images=found["gallery"].images + 1)
    return Miniature(_below("DukeMTMC-reID", files), found | {"gallery": gallery})


def occluded_duke_lists() -> dict[str, list[str]]:
    """Names in the miniature of DukeMTMC-reID; two of three queries are gallery images there."""
    files = [path.split("/")[1:] for path in dukemtmc_reid().files]
    train = [name for folder, name in files if folder == "bounding_box_train"]
    gallery = [name for folder, name in files if folder == "bounding_box_test"]
    query = [name for folder, name in files if folder == "query" and name.startswith("0001")]
    copied = [name for name in gallery if name.startswith(("0001_c3", "0003_c2"))]
    return {"train": train[:-2], "query": query + copied, "gallery": gallery}


def write_lists(folder: Path) -> Path:
    """Write `occluded_duke_lists`, one with CRLF line ends and one with an empty line."""
    ends = {"train": "\n", "query": "\r\n", "gallery": "\n\n"}
    lists = {
        f"{split}.list": ends[split].join([*names, ""]).encode()
        for split, names in occluded_duke_lists().items()
    }
    return write_folder(folder, lists)


def occluded_duke() -> Miniature:
    """As converted by the author's script, which copies queries from the gallery."""
    duke = {path.split("/", 1)[1]: data for path, data in dukemtmc_reid().files.items()}
    files: dict[str, bytes] = {}
    for names, folder in zip(occluded_duke_lists().values(), MARKET, strict=True):
        for name in names:
            own, other = f"{folder}/{name}", f"bounding_box_test/{name}"
            files[own] = duke[own] if own in duke else duke[other]
    found = counts(train=(3, 22), query=(2, 3), gallery=(3, 15))
    return Miniature(_below("Occluded_Duke", files), found)


def occluded_reid() -> Miniature:
    people = [
        f"{folder}_body_images/{i:03d}/{i:03d}_{n:02d}.tif"
        for folder in ("occluded", "whole")
        for i in (1, 2, 200)
        for n in (1, 2)
    ]
    files = _below("Occluded_REID", pictures(people))
    return Miniature(files, counts(query=(3, 6), gallery=(3, 6)))


def p_dukemtmc() -> Miniature:
    """With equal file names in different folders."""
    names = [
        f"{part}/{folder}_body_images/{i:04d}/c{n}.jpg"
        for part, people in (("train", (5, 8)), ("test", (6, 7)))
        for folder in ("occluded", "whole")
        for i in people
        for n in (1, 2)
    ]
    return Miniature(
        _below("P-DukeMTMC-reid", pictures(names)),
        counts(train=(2, 8), query=(2, 4), gallery=(2, 4)),
    )


def partial_reid(query: str) -> Miniature:
    """Three folders, two of which a protocol uses; those of `query` have one more image."""
    names = [
        f"{folder}_body_images/{i:03d}_{n:03d}.jpg"
        for folder in ("occluded", "partial", "whole")
        for i in (1, 60)
        for n in range(1, 4 if folder == query else 3)
    ]
    files = _below("Partial-REID_Dataset", pictures(names))
    return Miniature(files, counts(query=(2, 6), gallery=(2, 4)))


def partial_ilids(query: str = "partial_body_images", gallery: str = "whole_body_images"):
    names = [f"{folder}/{i:03d}.jpg" for folder in (query, gallery) for i in (1, 2, 119)]
    return Miniature(_below("Partial_iLIDS", pictures(names)), counts(query=(3, 3), gallery=(3, 3)))


def msmt17(lists: tuple[str, ...], train: str = "train", test: str = "test") -> Miniature:
    """Identities count from 0 in both training and test."""
    form = "{i:04d}/{i:04d}_{n:03d}_{c:02d}_0303morning_00{c:02d}_0.jpg"
    members = {
        "train": [(i, c) for i in (0, 1) for c in range(1, 16)],
        "val": [(0, 3), (1, 4)],
        "query": [(0, 1), (2, 1)],
        "gallery": [(i, c) for i in (0, 1, 2) for c in (2, 3)],
    }
    files: dict[str, bytes] = {}
    for number, (name, labels) in enumerate(members.items()):
        paths = {form.format(i=i, n=number, c=c): i for i, c in labels}
        folder = train if name in ("train", "val") else test
        files |= pictures(f"{folder}/{path}" for path in paths)
        lines = "".join(f"{path} {i}\n" for path, i in paths.items())
        files[f"list_{name}.txt"] = lines.encode()
    found = counts(train=(2, 32 if "val" in lists else 30), query=(2, 2), gallery=(3, 6))
    return Miniature(_below("MSMT17_V1", files), found)


def cuhk03(boxes: str) -> Miniature:
    """Both kinds of boxes in one archive; `boxes` has one more image."""
    form = "{i:04d}_c{c}_1.png"
    detected = market(form, 2, "detected/").files
    labeled = market(form, 2, "labeled/").files
    files = detected | labeled | pictures([f"{boxes}/bounding_box_train/0002_c2_2.png"])
    return Miniature(_below("cuhk03-np", files), counts(train=(3, 7), query=(2, 2), gallery=(2, 2)))


def own_table() -> Miniature:
    """A user's own crops with arbitrary names and a table."""
    rows = [(i, c, "train") for i in (1, 2, 3) for c in (0, 4)]
    rows += [(9, 0, "query"), (9, 4, "gallery"), (10, 4, "gallery")]
    names = [f"person {i}/{split}.cam{c}.png" for i, c, split in rows]
    lines = [f"{name},{i},{c},{split}" for name, (i, c, split) in zip(names, rows, strict=True)]
    table = "\n".join(["path,id,camera,split", *lines]).encode("utf-8-sig")
    return Miniature(
        pictures(names) | {"images.csv": table},
        counts(train=(3, 6), query=(1, 1), gallery=(2, 2)),
    )


def own_folders() -> Miniature:
    return market("{i}_c{c}_x.png", 3, folders=SPLITS)


MINIATURES = {
    "market1501": market1501(),
    "dukemtmc_reid": dukemtmc_reid(),
    "occluded_duke": occluded_duke(),
    "occluded_reid": occluded_reid(),
    "p_dukemtmc": p_dukemtmc(),
    "partial_reid_partial": partial_reid("partial"),
    "partial_reid_occluded": partial_reid("occluded"),
    "partial_ilids": partial_ilids(),
    "msmt17_train": msmt17(("train", "query", "gallery")),
    "msmt17_trainval": msmt17(("train", "val", "query", "gallery")),
    "cuhk03_detected": cuhk03("detected"),
    "cuhk03_labeled": cuhk03("labeled"),
    "folder": own_table(),
}
"""Miniatures by dataset name."""


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path
