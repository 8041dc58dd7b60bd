"""A bank from COCO's instance annotations; every invalid file is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.errors import InputError
from pipeline.files import read_json
from pipeline.occluders.bank import load_bank
from pipeline.occluders.coco import read_coco
from pipeline.occluders.rle import decode_rle, encode_rle
from pipeline.occluders.select import select
from pipeline.options.occluders import BankOptions, FilterOptions, SourceOptions
from tests.sa1b_files import compress

HEIGHT, WIDTH = 40, 60
LIST = SourceOptions(on_corrupt="list")


def rectangle(x: int, y: int, width: int, height: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y : y + height, x : x + width] = True
    return mask


def corners(x: float, y: float, width: float, height: float) -> list[float]:
    return [x, y, x + width, y, x + width, y + height, x, y + height]


BIN, BIKE, DOG, CROWD = (
    *(rectangle(5, 5, 12, 10), rectangle(25, 8, 20, 14)),
    *(rectangle(10, 20, 9, 9), rectangle(30, 20, 25, 15)),
)
SEGMENTATIONS: dict[int, tuple[str, int, Any]] = {
    11: ("b.jpg", 1, [corners(5, 5, 12, 10)]),
    12: ("b.jpg", 2, {"size": [HEIGHT, WIDTH], "counts": compress(BIKE)}),
    13: ("a.jpg", 3, encode_rle(DOG)),
    14: ("a.jpg", 2, encode_rle(CROWD)),
}
"""File name, category and segmentation by the annotation's id."""


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Write two images with annotations, and one without any."""
    (tmp_path / "images").mkdir()
    names = {"b.jpg": 1, "a.jpg": 2, "without.jpg": 3}
    for name, number in names.items():
        pixels = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / name)
    images = [
        {"id": number, "width": WIDTH, "height": HEIGHT, "file_name": name}
        for name, number in names.items()
    ]
    annotations = [
        {"id": key, "image_id": names[name], "category_id": category, "iscrowd": int(key == 14)}
        | {"segmentation": segmentation, "bbox": [0, 0, 1, 1], "area": 1.0}
        for key, (name, category, segmentation) in SEGMENTATIONS.items()
    ]
    categories = [{"id": i, "name": name} for i, name in enumerate(("bin", "bicycle", "dog"), 1)]
    write(tmp_path, {"images": images, "annotations": annotations, "categories": categories})
    return tmp_path


def write(folder: Path, values: Any) -> None:
    (folder / "instances.json").write_text(json.dumps(values))


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    values = read_json(folder / "instances.json")
    change(values)
    write(folder, values)


def read_masks(
    coco: Path, categories: tuple[str, ...] = (), source: SourceOptions | None = None
) -> dict[str, list[np.ndarray]]:
    """Return the masks of each image by its name."""
    paths = coco / "images", coco / "instances.json", coco / "masks"
    read_coco(*paths, source or SourceOptions(), list(categories))
    records = [json.loads(line) for line in (coco / "masks").read_text().splitlines()]
    return {
        record["image"]["file_name"]: [
            decode_rle(each["segmentation"]) for each in record["annotations"]
        ]
        for record in records
    }


def make_bank(coco: Path, minimum: int) -> list[np.ndarray]:
    options = BankOptions(minimum=minimum, filters=FilterOptions(min_area=0.0))
    select(coco / "images", coco / "masks", coco / "bank", options)
    return load_bank(coco / "bank")


def test_masks_are_those_of_polygons_and_of_both_kinds_of_run_lengths(coco: Path) -> None:
    found = read_masks(coco)
    assert list(found) == ["a.jpg", "b.jpg"]
    np.testing.assert_array_equal(found["b.jpg"], [BIN, BIKE])
    np.testing.assert_array_equal(found["a.jpg"], [DOG, CROWD])


def test_masks_become_a_bank_without_sam(coco: Path) -> None:
    read_masks(coco)
    names = ("a.jpg", "b.jpg", "b.jpg")
    for cutout, name, mask in zip(make_bank(coco, 3), names, (DOG, BIN, BIKE), strict=True):
        pixels = np.asarray(Image.open(coco / "images" / name))
        box = np.ix_(mask.any(1), mask.any(0))
        np.testing.assert_array_equal(cutout[..., :3], pixels[box])
        assert (cutout[..., 3] == 255).all()


def test_crowd_is_dropped_and_the_table_says_so(coco: Path) -> None:
    read_masks(coco)
    make_bank(coco, 3)
    table = pd.read_csv(coco / "bank" / "table.csv")
    assert table["verdict"].tolist() == ["kept", "crowd", "kept", "kept"]
    assert read_json(coco / "bank" / "summary.json")["dropped"] == {"crowd": 1}
    with pytest.raises(InputError, match=r"dropped by crowd 1: give more images"):
        make_bank(coco, 4)


def test_only_the_categories_count(coco: Path) -> None:
    assert list(read_masks(coco, ("dog",))) == ["a.jpg"]
    found = read_masks(coco, ("bin", "dog"))
    np.testing.assert_array_equal(found["a.jpg"], [DOG])
    np.testing.assert_array_equal(found["b.jpg"], [BIN])


def test_limit_samples_images_with_annotations(coco: Path) -> None:
    assert len(read_masks(coco, source=SourceOptions(limit=1))) == 1
    assert len(read_masks(coco, source=SourceOptions(limit=3))) == 2


def is_inside(x: float, y: float, polygon: np.ndarray) -> bool:
    """Count the sides to the right of a point."""
    crossings = 0
    for (x1, y1), (x2, y2) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if (y1 > y) != (y2 > y):
            crossings += x < x1 + (y - y1) / (y2 - y1) * (x2 - x1)
    return crossings % 2 == 1


def test_polygon_covers_the_pixels_whose_centre_it_contains(coco: Path) -> None:
    rng = np.random.default_rng(3)
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    for _ in range(5):
        radius = rng.uniform(4, 22, 12)  # a star, partly outside the image
        centre = rng.uniform((5, 5), (WIDTH - 5, HEIGHT - 5))
        star = centre + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        polygons = [star.ravel().tolist(), corners(1.2, 2.7, 3.1, 4)]
        edit(coco, lambda v, p=polygons: v["annotations"][0].update(segmentation=p))
        expected = rectangle(1, 3, 3, 4)
        for y, x in np.ndindex(HEIGHT, WIDTH):
            expected[y, x] |= is_inside(x + 0.5, y + 0.5, star)
        np.testing.assert_array_equal(read_masks(coco)["b.jpg"][0], expected)


@pytest.mark.parametrize("frame", ["stored", "upright"])
def test_masks_are_turned_with_their_image(coco: Path, frame: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(coco / "images" / "b.jpg").save(coco / "images" / "b.jpg", exif=exif)
    if frame == "upright":
        edit(coco, lambda v: v["images"][0].update(width=HEIGHT, height=WIDTH))
        edit(coco, lambda v: v["annotations"].pop(1))
        expected = np.zeros((WIDTH, HEIGHT), bool)
        expected[5:15, 5:17] = True
    else:
        expected = np.rot90(BIN, -1)
    np.testing.assert_array_equal(read_masks(coco)["b.jpg"][0], expected)


def annotate(**values: Any) -> Callable[[Path], None]:
    return lambda folder: edit(folder, lambda v: v["annotations"][0].update(values))


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no image": (lambda f: (f / "images/b.jpg").unlink(), r"no such image in .*occluders\.images"),
    "cut image": (lambda f: (f / "images/b.jpg").write_bytes(b"\xff\xd8\xff"), "expected a whole"),
    "other size": (
        lambda f: edit(f, lambda v: v["images"][0].update(width=59)),
        "expected the image to have the 60 x 40 pixels of the file, found 59 x 40",
    ),
    "boxes only": (annotate(segmentation=[]), r"annotation 11: expected a segmentation .*boxes"),
    "no segmentation": (
        lambda f: edit(f, lambda v: v["annotations"][0].pop("segmentation")),
        r"annotation 11: expected a segmentation of polygons or run lengths, found None",
    ),
    "two corners": (annotate(segmentation=[[1, 2, 3, 4]]), "annotation 11: expected a segm"),
    "odd corners": (annotate(segmentation=[[1, 2, 3, 4, 5, 6, 7]]), "annotation 11: expected a"),
    "text": (annotate(segmentation="0a"), "annotation 11: expected a segmentation"),
    "other mask": (
        annotate(segmentation={"size": [9, 9], "counts": [81]}),
        "annotation 11: expected a mask to have the 60 x 40 pixels .*found 9 x 9",
    ),
    "short": (annotate(segmentation={"size": [HEIGHT, WIDTH], "counts": [5]}), "that fill 40 x 60"),
    "bad counts": (annotate(segmentation={"size": [HEIGHT, WIDTH], "counts": "0~"}), "compressed"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_invalid_image_stops_or_is_listed_with_the_reason(name: str, coco: Path) -> None:
    damage, message = DAMAGE[name]
    damage(coco)
    with pytest.raises(InputError, match=rf"(?s)b\.jpg: .*{message}.*on_corrupt: list"):
        read_masks(coco)
    assert not list(coco.glob("*masks*"))
    assert list(read_masks(coco, source=LIST)) == ["a.jpg", "b.jpg"]
    assert len(make_bank(coco, 1)) == 1
    unreadable = read_json(coco / "bank" / "summary.json")["unreadable"]
    assert list(unreadable) == ["b.jpg"]


INVALID: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda f: (f / "instances.json").unlink(), r"no such file.*coco\.annotations"),
    "no json": (lambda f: (f / "instances.json").write_text("{"), "expected COCO's instance"),
    "list": (lambda f: write(f, []), "expected COCO's instance annotations"),
    "captions": (lambda f: edit(f, lambda v: v.pop("categories")), "categories"),
    "unknown image": (annotate(image_id=99), "annotation 11 of an unknown image 99"),
    "none": (lambda f: edit(f, lambda v: v["annotations"].clear()), "no annotation of any cat"),
}


@pytest.mark.parametrize("name", INVALID)
def test_file_that_is_not_cocos_is_refused_whatever_is_listed(name: str, coco: Path) -> None:
    damage, message = INVALID[name]
    damage(coco)
    with pytest.raises(InputError, match=rf"instances\.json: .*{message}"):
        read_masks(coco, source=LIST)
    assert not list(coco.glob("*masks*"))


def test_unknown_category_is_named_with_the_known_ones(coco: Path) -> None:
    message = r"coco\.categories: found bycicle, expected .*\(bicycle, bin, dog\): correct the name"
    with pytest.raises(InputError, match=message):
        read_masks(coco, ("dog", "bycicle"))


def test_file_outside_the_folder_is_never_read(coco: Path) -> None:
    (coco / "secret.jpg").write_bytes((coco / "images" / "b.jpg").read_bytes())
    for name in ("../secret.jpg", str(coco / "secret.jpg")):
        edit(coco, lambda v, n=name: v["images"][0].update(file_name=n))
        with pytest.raises(InputError, match=r"secret\.jpg: no such image in"):
            read_masks(coco)
