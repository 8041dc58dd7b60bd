"""A bank from SA-1B's own masks, without SAM; every invalid file is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import InputError
from pipeline.files import read_json
from pipeline.occluders.bank import load_bank
from pipeline.occluders.rle import decode_rle
from pipeline.occluders.sa1b import read_sa1b
from pipeline.occluders.select import select
from pipeline.options.occluders import BankOptions, FilterOptions, SourceOptions
from tests.sa1b_files import add_pair

LIST = SourceOptions(on_corrupt="list")
ALL = FilterOptions(min_area=0.0, max_area=1.0, max_aspect=1e3, max_border=1.0, duplicate_iou=1.0)
ORDER = [1, 10, 2, 560]
"""Names are sorted as text."""


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def make_bank(sa1b: Path, folder: Path, minimum: int) -> None:
    paths = (folder / name for name in ("masks", "bank"))
    select(sa1b, *paths, BankOptions(minimum=minimum, filters=ALL))


def test_masks_equal_those_of_the_files(
    sa1b: Path, shapes: dict[int, list[np.ndarray]], tmp_path: Path
) -> None:
    (sa1b / "readme.txt").write_text("not a part of it")
    read_sa1b(sa1b, tmp_path / "masks", SourceOptions())
    found = records(tmp_path / "masks")
    assert [record["image"]["file_name"] for record in found] == [f"sa_{n}.jpg" for n in ORDER]
    for record, number in zip(found, ORDER, strict=True):
        original = read_json(sa1b / f"sa_{number}.json")["annotations"]
        pairs = zip(record["annotations"], original, shapes[number], strict=True)
        for annotation, source, mask in pairs:
            np.testing.assert_array_equal(decode_rle(annotation["segmentation"]), mask)
            rest = ("bbox", "area", "predicted_iou", "stability_score", "crop_box", "point_coords")
            assert all(annotation[key] == source[key] for key in rest)


def test_masks_become_a_bank_without_sam(
    sa1b: Path, shapes: dict[int, list[np.ndarray]], tmp_path: Path
) -> None:
    read_sa1b(sa1b, tmp_path / "masks", SourceOptions())
    make_bank(sa1b, tmp_path, minimum=8)
    bank = load_bank(tmp_path / "bank")
    masks = [mask for number in ORDER for mask in shapes[number]]
    names = [f"sa_{number}.jpg" for number in ORDER for _ in shapes[number]]
    assert len(bank) == len(masks) == 8
    for cutout, mask, name in zip(bank, masks, names, strict=True):
        box = np.ix_(mask.any(1), mask.any(0))
        np.testing.assert_array_equal(cutout[..., 3], mask[box] * 255)
        pixels = np.asarray(Image.open(sa1b / name))
        np.testing.assert_array_equal(cutout[mask[box], :3], pixels[mask])


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    record = read_json(path)
    change(record)
    path.write_text(json.dumps(record))


def set_counts(counts: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda record: record["annotations"][1]["segmentation"].update(counts=counts)


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no json": (lambda f: (f / "sa_10.json").unlink(), r"sa_10\.json: no such annotations"),
    "no image": (lambda f: (f / "sa_10.jpg").unlink(), r"sa_10\.jpg: no such image"),
    "cut image": (
        lambda f: (f / "sa_10.jpg").write_bytes((f / "sa_10.jpg").read_bytes()[:300]),
        r"sa_10\.jpg: expected a whole",
    ),
    "cut json": (
        lambda f: (f / "sa_10.json").write_text((f / "sa_10.json").read_text()[:300]),
        r"sa_10\.json: expected SA-1B's annotations of sa_10\.jpg, found .*JSON",
    ),
    "other image": (
        lambda f: edit(f / "sa_10.json", lambda r: r["image"].update(width=41)),
        r"expected the image to have the 40 x 64 pixels of the file, found 41 x 64",
    ),
    "other mask": (
        lambda f: edit(
            f / "sa_10.json", lambda r: r["annotations"][0]["segmentation"].update(size=[40, 64])
        ),
        r"expected a mask to have the 40 x 64 pixels of the file, found 64 x 40",
    ),
    "bad counts": (lambda f: edit(f / "sa_10.json", set_counts("0~")), r"compressed run lengths"),
    "bomb": (lambda f: edit(f / "sa_10.json", set_counts([10**12])), r"fill 64 x 40 pixels"),
    "no score": (
        lambda f: edit(f / "sa_10.json", lambda r: r["annotations"][1].pop("predicted_iou")),
        r"annotations\.1\.predicted_iou",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_invalid_file_stops_or_is_listed_with_the_reason(
    name: str, sa1b: Path, tmp_path: Path
) -> None:
    damage, message = DAMAGE[name]
    damage(sa1b)
    with pytest.raises(InputError, match=message):
        read_sa1b(sa1b, tmp_path / "masks", SourceOptions())
    assert not list(tmp_path.glob("*masks*"))
    read_sa1b(sa1b, tmp_path / "masks", LIST)
    make_bank(sa1b, tmp_path, minimum=6)
    summary = read_json(tmp_path / "bank" / "summary.json")
    assert (summary["images"], summary["kept"]) == (4, 6)
    assert list(summary["unreadable"]) == ["sa_10.jpg"]
    assert str(tmp_path) not in summary["unreadable"]["sa_10.jpg"]


def test_all_invalid_files_are_named_at_once(sa1b: Path, tmp_path: Path) -> None:
    (sa1b / "sa_1.json").unlink()
    (sa1b / "sa_560.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"(?s)sa_1\.json.*sa_560\.jpg.*on_corrupt: list"):
        read_sa1b(sa1b, tmp_path / "masks", SourceOptions())


def test_limit_samples_the_images(sa1b: Path, tmp_path: Path) -> None:
    names = {}
    for limit in (2, 3, 100):
        read_sa1b(sa1b, tmp_path / "masks", SourceOptions(limit=limit, seed=1))
        names[limit] = [r["image"]["file_name"] for r in records(tmp_path / "masks")]
    assert [len(found) for found in names.values()] == [2, 3, 4]
    assert set(names[2]) < set(names[3]) < set(names[100])


def test_folder_without_sa1b_files_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "sa_000000.tar"):
        with pytest.raises(InputError, match="expected a folder with SA-1B's"):
            read_sa1b(folder, tmp_path / "masks", SourceOptions())


@pytest.mark.parametrize(("orientation", "frame"), [(3, "stored"), (6, "stored"), (6, "upright")])
def test_masks_are_turned_with_their_image(tmp_path: Path, orientation: int, frame: str) -> None:
    """Annotations describe the stored pixels, unless their size says that they are upright."""
    stored = np.zeros((8, 12), bool)
    stored[1:3, 2:9] = True
    upright = np.rot90(stored, {3: 2, 6: -1}[orientation])
    add_pair(tmp_path, 1, [upright if frame == "upright" else stored])
    pixels = np.where(stored, 255, 0).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "sa_1.jpg", exif=exif, quality=100)
    read_sa1b(tmp_path, tmp_path / "masks", SourceOptions())
    [record] = records(tmp_path / "masks")
    assert (record["image"]["height"], record["image"]["width"]) == upright.shape
    np.testing.assert_array_equal(decode_rle(record["annotations"][0]["segmentation"]), upright)
    make_bank(tmp_path, tmp_path, minimum=1)
    [cutout] = load_bank(tmp_path / "bank")
    assert cutout.shape[:2] == ((2, 7) if orientation == 3 else (7, 2))
    assert cutout[..., :3].min() > 200
