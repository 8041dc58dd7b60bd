from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.data.shards import write_index
from pipeline.errors import InputError
from pipeline.files import read_json, sha256
from pipeline.occluders.bank import load_bank
from pipeline.occluders.masks import decode_mask, mask_iou
from pipeline.occluders.rle import decode_rle
from pipeline.occluders.select import filter_verdicts, select, shrink
from pipeline.options.occluders import BankOptions, FilterOptions

FILTERS = FilterOptions()
HEIGHT, WIDTH = 60, 80


def rectangle(x: int, y: int, width: int, height: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y : y + height, x : x + width] = True
    return mask


def annotate(mask: np.ndarray, predicted_iou: float = 0.9, stability: float = 0.9) -> dict:
    counts = [len(list(run)) for _, run in groupby(mask.T.ravel().tolist())]
    if mask.T.ravel()[0]:
        counts.insert(0, 0)
    segmentation = {"size": list(mask.shape), "counts": counts}
    scores = {"predicted_iou": predicted_iou, "stability_score": stability}
    return {"segmentation": segmentation, **scores}


GOOD = rectangle(10, 10, 20, 20)
CASES: dict[str, dict[str, Any]] = {
    "min_area": annotate(rectangle(40, 40, 6, 7)),
    "max_area": annotate(rectangle(1, 1, 70, 50)),
    "max_aspect": annotate(rectangle(2, 50, 70, 3)),
    "max_border": annotate(rectangle(50, 0, 20, 20)),
    "predicted_iou": annotate(rectangle(40, 30, 20, 20), predicted_iou=0.5),
    "stability": annotate(rectangle(40, 30, 20, 20), stability=0.6),
    "duplicate_iou": annotate(rectangle(11, 10, 20, 20), predicted_iou=0.85),
}
LOOSER = {
    "min_area": 0.0,
    "max_area": 1.0,
    "max_aspect": 100.0,
    "max_border": 1.0,
    "predicted_iou": 0.0,
    "stability": 0.0,
    "duplicate_iou": 1.0,
}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "images" / "scene.png")
    return tmp_path / "images"


def write_masks(path: Path, annotations: list[dict], width: int = WIDTH) -> Path:
    facts = {"image_id": 0, "width": width, "height": HEIGHT, "file_name": "scene.png"}
    image = path.parent / "images" / "scene.png"
    facts |= {"sha256": sha256(image)} if image.is_file() else {}
    path.write_text(json.dumps({"image": facts, "annotations": annotations}) + "\n")
    return path


@pytest.mark.parametrize("name", CASES)
def test_each_filter_drops_its_case_unless_loosened(name: str) -> None:
    masks = [decode_mask(annotation) for annotation in (CASES[name], annotate(GOOD))]
    assert filter_verdicts(masks, FILTERS) == [name, "kept"]
    looser = FILTERS.model_copy(update={name: LOOSER[name]})
    assert filter_verdicts(masks, looser) == ["kept", "kept"]


def test_better_of_two_duplicates_is_kept_in_any_order() -> None:
    worse, better = annotate(GOOD, 0.85), annotate(rectangle(10, 10, 20, 21), 0.95)
    for masks, verdicts in (
        ([worse, better], ["duplicate_iou", "kept"]),
        ([better, worse], ["kept", "duplicate_iou"]),
    ):
        assert filter_verdicts([decode_mask(mask) for mask in masks], FILTERS) == verdicts


def test_dropped_mask_makes_no_duplicates() -> None:
    unstable, good = annotate(GOOD, 0.95, stability=0.1), annotate(GOOD, 0.85)
    assert filter_verdicts([decode_mask(unstable), decode_mask(good)], FILTERS) == [
        "stability",
        "kept",
    ]


def test_an_empty_mask_is_never_kept() -> None:
    empty = decode_mask(annotate(np.zeros((HEIGHT, WIDTH), bool)))
    assert filter_verdicts([empty], FILTERS.model_copy(update={"min_area": 0.0})) == ["min_area"]


def test_border_fraction_equals_a_plain_loop_over_the_outline() -> None:
    mask = rectangle(0, 40, 30, 20) | rectangle(20, 30, 25, 15)
    outline = border = 0
    for y, x in np.argwhere(mask):
        around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        outside = [not (0 <= b < HEIGHT and 0 <= a < WIDTH) for b, a in around]
        free = [out or not mask[pixel] for out, pixel in zip(outside, around, strict=True)]
        outline, border = outline + any(free), border + any(outside)
    assert decode_mask(annotate(mask)).border == border / outline
    assert decode_mask(annotate(GOOD)).border == 0
    assert decode_mask(annotate(np.ones((HEIGHT, WIDTH), bool))).border == 1


def test_iou_of_boxes_equals_that_of_full_masks() -> None:
    rng = np.random.default_rng(2)
    corners = rng.integers(0, [[WIDTH - 30, HEIGHT - 30]], (12, 2))
    whole = [rectangle(x, y, 30, 30) & (rng.random((HEIGHT, WIDTH)) < 0.6) for x, y in corners]
    whole.append(np.zeros((HEIGHT, WIDTH), bool))
    masks = [decode_mask(annotate(mask)) for mask in whole]
    for first, mask in zip(whole, masks, strict=True):
        np.testing.assert_array_equal(mask.full(), first)
        for second, other in zip(whole, masks, strict=True):
            assert mask.iou(other) == mask_iou(first, second)


@pytest.mark.parametrize("corner", [False, True])
def test_run_lengths_decode_to_the_mask(corner: bool) -> None:
    mask = np.random.default_rng(1).random((HEIGHT, WIDTH)) < 0.5
    mask[0, 0] = corner
    np.testing.assert_array_equal(decode_rle(annotate(mask)["segmentation"]), mask)


def test_bank_holds_the_cut_outs_of_kept_masks(images: Path, tmp_path: Path) -> None:
    disc = np.hypot(*np.indices((HEIGHT, WIDTH)) - np.array([30, 60])[:, None, None]) < 12
    masks = write_masks(tmp_path / "masks", [annotate(GOOD), CASES["stability"], annotate(disc)])
    select(images, masks, tmp_path / "bank", BankOptions(minimum=2))
    pixels = np.asarray(Image.open(images / "scene.png"))
    cut_outs = load_bank(tmp_path / "bank")
    assert len(cut_outs) == 2
    for cut_out, mask in zip(cut_outs, (GOOD, disc), strict=True):
        box = np.ix_(mask.any(1), mask.any(0))
        np.testing.assert_array_equal(cut_out[..., 3], mask[box] * 255)
        np.testing.assert_array_equal(cut_out[mask[box], :3], pixels[mask])
    table = pd.read_csv(tmp_path / "bank" / "table.csv")
    assert table["verdict"].tolist() == ["kept", "stability", "kept"]
    assert table["area"].tolist() == [400, 400, int(disc.sum())]
    index = pd.read_csv(tmp_path / "bank" / "index.csv")
    assert index["key"].tolist() == table["key"][table["verdict"] == "kept"].tolist()
    row = table.iloc[0]
    assert row[["image", "x", "y", "width", "height"]].tolist() == ["scene.png", 10, 10, 20, 20]


def test_the_same_masks_give_the_same_bank(images: Path, tmp_path: Path) -> None:
    masks = write_masks(tmp_path / "masks", [annotate(GOOD), *CASES.values()])
    content = []
    for name in ("one", "two"):
        select(images, masks, tmp_path / name, BankOptions(minimum=1))
        files = sorted((tmp_path / name).iterdir())
        content.append({file.name: file.read_bytes() for file in files})
    assert content[0] == content[1]


def test_too_few_occluders_are_an_error_and_the_old_bank_stays(
    images: Path, tmp_path: Path
) -> None:
    bank = tmp_path / "bank"
    select(images, write_masks(tmp_path / "m", [annotate(GOOD)]), bank, BankOptions(minimum=1))
    before = {file.name: file.read_bytes() for file in bank.iterdir()}
    small = CASES["min_area"]
    masks = write_masks(tmp_path / "masks", [small, small, CASES["stability"], annotate(GOOD)])
    with pytest.raises(
        InputError, match=r"at least 3 .* found 1 .*min_area 2, stability 1.*loosen"
    ):
        select(images, masks, bank, BankOptions(minimum=3))
    assert {file.name: file.read_bytes() for file in bank.iterdir()} == before
    assert not list(tmp_path.glob(".partial*"))


@pytest.mark.parametrize("annotations", [[], [CASES["stability"]]])
def test_an_empty_bank_is_an_error(images: Path, tmp_path: Path, annotations: list) -> None:
    masks = write_masks(tmp_path / "masks", annotations)
    with pytest.raises(InputError, match=r"found 0"):
        select(images, masks, tmp_path / "bank", BankOptions(minimum=1))
    assert not (tmp_path / "bank").exists()


def test_masks_of_other_images_are_refused(images: Path, tmp_path: Path) -> None:
    masks = write_masks(tmp_path / "masks", [annotate(GOOD)], width=WIDTH + 1)
    with pytest.raises(InputError, match=r"scene\.png: expected 81 x 60 .* found 80 x 60"):
        select(images, masks, tmp_path / "bank", BankOptions(minimum=1))


@pytest.mark.parametrize(
    "broken",
    [
        {"segmentation": {"size": [2, 2], "counts": [1, 2]}},
        {"segmentation": {"size": [2, 2], "counts": "0cWn1"}},
        {"bbox": [0, 0, 1, 1]},
    ],
)
def test_invalid_line_is_named(images: Path, tmp_path: Path, broken: dict) -> None:
    masks = write_masks(tmp_path / "masks", [broken | {"predicted_iou": 1, "stability_score": 1}])
    with pytest.raises(InputError, match="masks: line 1"):
        select(images, masks, tmp_path / "bank", BankOptions(minimum=1))


def test_missing_or_empty_bank_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        load_bank(tmp_path)
    write_index(tmp_path, [])
    with pytest.raises(InputError, match="found no object"):
        load_bank(tmp_path)


def separate_masks(count: int) -> list[dict]:
    """Masks that pass all filters and do not overlap."""
    corners = [(x, y) for y in range(2, 50, 12) for x in range(2, 70, 12)]
    return [annotate(rectangle(x, y, 8, 8)) for x, y in corners[:count]]


def verdicts(bank: Path) -> list[str]:
    return pd.read_csv(bank / "table.csv")["verdict"].tolist()


def test_maximum_keeps_a_random_sample(images: Path, tmp_path: Path) -> None:
    masks = write_masks(tmp_path / "masks", [CASES["stability"], *separate_masks(12)])
    found = {}
    for maximum, seed in ((4, 0), (6, 0), (4, 1), (12, 0), (99, 0), (None, 0)):
        options = BankOptions(minimum=1, maximum=maximum, seed=seed)
        select(images, masks, tmp_path / "bank", options)
        found[maximum, seed] = verdicts(tmp_path / "bank")
        assert found[maximum, seed][0] == "stability"
        kept = min(maximum or 12, 12)
        assert found[maximum, seed].count("kept") == len(load_bank(tmp_path / "bank")) == kept
        assert found[maximum, seed].count("maximum") == 12 - kept
    four, six = ([i for i, v in enumerate(found[n, 0]) if v == "kept"] for n in (4, 6))
    assert set(four) < set(six)
    assert found[4, 0] != found[4, 1]
    assert found[12, 0] == found[99, 0] == found[None, 0]


def test_summary_counts_images_and_masks(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = CASES["min_area"]
    masks = write_masks(tmp_path / "masks", [small, small, CASES["stability"], *separate_masks(3)])
    bad = {"image": {"image_id": 1, "file_name": "bad.png"}, "annotations": []}
    with open(masks, "a") as file:
        file.write(json.dumps(bad | {"unreadable": "bad.png: cut off"}) + "\n")
    select(images, masks, tmp_path / "bank", BankOptions(minimum=1, maximum=2))
    assert read_json(tmp_path / "bank" / "summary.json") == {
        "images": 2,
        "unreadable": {"bad.png": "bad.png: cut off"},
        "masks": 6,
        "kept": 2,
        "dropped": {"min_area": 2, "stability": 1, "maximum": 1},
    }
    summary = (
        "2 of 6 masks kept; dropped by min_area 2, stability 1, maximum 1; 1 of 2 images unread"
    )
    assert summary in capsys.readouterr().out


def test_large_cut_outs_shrink_to_the_longest_side(images: Path, tmp_path: Path) -> None:
    masks = write_masks(
        tmp_path / "masks", [annotate(rectangle(10, 10, 40, 20)), *separate_masks(1)]
    )
    select(images, masks, tmp_path / "bank", BankOptions(minimum=2, longest_side=10))
    large, small = load_bank(tmp_path / "bank")
    assert (large.shape, small.shape) == ((5, 10, 4), (8, 8, 4))


def test_shrinking_does_not_bleed_the_outside_into_the_edge() -> None:
    cutout = np.zeros((40, 40, 4), np.uint8)
    cutout[:, 13:] = (200, 100, 50, 255)
    small = shrink(cutout, 10)
    assert small.shape == (10, 10, 4)
    assert 0 < small[0, 3, 3] < 255
    premultiplied = small[..., :3] * (small[..., 3:] / 255)
    assert abs(premultiplied - np.array([200, 100, 50]) * (small[..., 3:] / 255)).max() <= 1.5
    assert shrink(cutout, 40) is shrink(cutout, None) is cutout


def test_image_changed_since_its_masks_is_named(images: Path, tmp_path: Path) -> None:
    masks, bank = write_masks(tmp_path / "masks.jsonl", [annotate(GOOD)]), tmp_path / "bank"
    options = BankOptions(filters=FILTERS, minimum=1)
    assert select(images, masks, bank, options) == {
        "sources": {str(images): {"scene.png": sha256(images / "scene.png")}}
    }
    Image.new("RGB", (WIDTH, HEIGHT)).save(images / "scene.png")
    with pytest.raises(InputError, match=r"images/scene\.png: changed since its masks were made"):
        select(images, masks, tmp_path / "other", options)
    assert not (tmp_path / "other").exists()
