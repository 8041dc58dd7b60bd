"""A bank from cut-outs with a transparent background; every other image is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.errors import InputError
from pipeline.files import read_json
from pipeline.occluders.alpha import read_alpha
from pipeline.occluders.bank import load_bank
from pipeline.occluders.select import select
from pipeline.options.occluders import BankOptions, FilterOptions, SourceOptions

TIGHT = FilterOptions(max_area=1.0, max_border=1.0)
"""A cut-out may fill its image."""


def random_cutout(seed: int, size: tuple[int, int] = (30, 20)) -> np.ndarray:
    """Random pixels (H, W, 4) uint8 in an ellipse whose edge fades out."""
    rng = np.random.default_rng(seed)
    rows, columns = (np.linspace(-1, 1, length) for length in size)
    distance = np.hypot(rows[:, None], columns)
    alpha = np.clip(255 * 4 * (1 - distance), 0, 255)
    colour = rng.integers(0, 256, (*size, 3))
    return np.concatenate([colour, alpha[..., None]], axis=2).astype(np.uint8)


@pytest.fixture
def cutouts(tmp_path: Path) -> Path:
    (tmp_path / "cutouts" / "plants").mkdir(parents=True)
    for seed, name in enumerate(("bin.png", "cart.webp", "plants/fern.png")):
        Image.fromarray(random_cutout(seed)).save(tmp_path / "cutouts" / name, lossless=True)
    return tmp_path / "cutouts"


def make_bank(cutouts: Path, folder: Path, **options: Any) -> list[np.ndarray]:
    source = SourceOptions(on_corrupt=options.pop("on_corrupt", "stop"))
    read_alpha(cutouts, folder / "masks", source)
    select(cutouts, folder / "masks", folder / "bank", BankOptions(filters=TIGHT, **options))
    return load_bank(folder / "bank")


def test_the_opaque_half_of_each_image_is_an_object(cutouts: Path, tmp_path: Path) -> None:
    for seed, found in enumerate(make_bank(cutouts, tmp_path, minimum=3)):
        pixels = random_cutout(seed)
        inside = pixels[..., 3] >= 128
        box = np.ix_(inside.any(1), inside.any(0))
        np.testing.assert_array_equal(found[..., 3], 255 * inside[box])
        visible = inside[box]
        np.testing.assert_array_equal(found[..., :3][visible], pixels[..., :3][box][visible])


def test_the_filters_and_the_table_are_those_of_other_masks(cutouts: Path, tmp_path: Path) -> None:
    thin = np.zeros((40, 4, 4), np.uint8)
    thin[:, 1] = 255
    Image.fromarray(thin).save(cutouts / "thin.png")
    assert len(make_bank(cutouts, tmp_path, minimum=3)) == 3
    table = pd.read_csv(tmp_path / "bank" / "table.csv").set_index("image")
    assert table["verdict"].to_dict() == {
        **dict.fromkeys(["bin.png", "cart.webp", "plants/fern.png"], "kept"),
        "thin.png": "max_aspect",
    }
    assert read_json(tmp_path / "bank" / "summary.json")["dropped"] == {"max_aspect": 1}


def save(pixels: np.ndarray, **options: Any) -> Callable[[Path], None]:
    return lambda path: Image.fromarray(pixels).save(path, **options)


CUTOUT = random_cutout(7)
TRANSPARENT, FAINT, OPAQUE = CUTOUT.copy(), CUTOUT.copy(), CUTOUT.copy()
TRANSPARENT[..., 3], FAINT[..., 3], OPAQUE[..., 3] = 0, 127, 255
DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no alpha": (save(CUTOUT[..., :3]), r"found none in mode RGB: remove the background"),
    "grey": (save(CUTOUT[..., 0]), r"found none in mode L: remove"),
    "transparent": (save(TRANSPARENT), r"on transparent ones, found no opaque one"),
    "faint": (save(FAINT), r"on transparent ones, found no opaque one"),
    "opaque": (save(OPAQUE), r"on transparent ones, found only opaque ones"),
    "empty": (lambda path: path.write_bytes(b""), r"found an empty file"),
    "no image": (lambda path: path.write_bytes(b"nothing"), r"do not decode"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_any_other_image_stops_or_is_listed_with_the_reason(
    name: str, cutouts: Path, tmp_path: Path
) -> None:
    damage, message = DAMAGE[name]
    damage(cutouts / "wrong.png")
    with pytest.raises(InputError, match=rf"wrong\.png: .*{message}"):
        read_alpha(cutouts, tmp_path / "masks", SourceOptions())
    assert not list(tmp_path.glob("*masks*"))
    assert len(make_bank(cutouts, tmp_path, minimum=3, on_corrupt="list")) == 3
    unreadable = read_json(tmp_path / "bank" / "summary.json")["unreadable"]
    assert list(unreadable) == ["wrong.png"]
    assert str(tmp_path) not in unreadable["wrong.png"]


def test_palette_with_a_transparent_colour_is_a_cutout(tmp_path: Path) -> None:
    pixels = np.zeros((9, 9), np.uint8)
    pixels[2:6, 3:8] = 1
    image = Image.fromarray(pixels, "P")
    image.putpalette([0, 0, 0, 200, 100, 50])
    (tmp_path / "cutouts").mkdir()
    image.save(tmp_path / "cutouts" / "a.png", transparency=0)
    (found,) = make_bank(tmp_path / "cutouts", tmp_path, minimum=1)
    np.testing.assert_array_equal(found, np.broadcast_to((200, 100, 50, 255), (4, 5, 4)))


def test_cutout_is_turned_by_its_exif_orientation(tmp_path: Path) -> None:
    pixels = np.zeros((8, 12, 4), np.uint8)
    pixels[1:3, 2:9] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "cutouts").mkdir()
    Image.fromarray(pixels).save(tmp_path / "cutouts" / "a.png", exif=exif)
    (found,) = make_bank(tmp_path / "cutouts", tmp_path, minimum=1)
    np.testing.assert_array_equal(found, np.full((7, 2, 4), 255))


def test_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a folder with images"):
        read_alpha(tmp_path, tmp_path / "masks", SourceOptions())
