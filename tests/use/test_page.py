"""The page of ranked matches: its content, and that it needs no other file."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline import load
from pipeline.data.images import decode_image
from pipeline.model.build import build_model, describe
from pipeline.model.weights import save_weights
from pipeline.options.run import ModelOptions, RunOptions
from pipeline.use.embedder import Embedder, Matches
from pipeline.use.page import TEMPLATE, THUMBNAIL, write_page
from tests.tiny import tiny_backbone
from tests.use.conftest import NAMES, draw, write_report


def content_of(page: Path) -> dict[str, Any]:
    """Return the data in a page."""
    (data,) = re.findall(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    content: dict[str, Any] = json.loads(data)
    return content


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "page.html"


def test_page_has_the_matches(run: Path, pictures: Path, page: Path) -> None:
    """In their order, with exact similarities; each picture is stored once."""
    write_report(run, 0.5)
    model = load(run, "cpu")
    matches = model.search(pictures / "sub", pictures, top=3)
    write_page(page, matches, 4, model)
    content = content_of(page)
    names = content["names"]
    assert sorted(names) == sorted(str(pictures / name) for name in NAMES)
    assert len(content["thumbnails"]) == len(content["kept"]) == len(NAMES)
    for query, row in enumerate(content["queries"]):
        assert names[row[0]] == matches.queries[query]
        assert [names[found] for found in row[1]] == matches.names[query]
        np.testing.assert_array_equal(np.float32(row[2]), np.float32(matches.similarities[query]))
    assert content["gallery"] == 4
    assert content["threshold"] == {
        "similarity": 0.5,
        "false_positive_rate": 0.001,
        "dataset": "toy",
    }


def test_thumbnails_are_small_upright_pictures(pictures: Path, model: Embedder, page: Path) -> None:
    """The photo, which lies on its side in its file, stands; the wide picture keeps its shape."""
    wide = draw(pictures / "wide.png", 3, (400, 100))
    names = [str(pictures / NAMES[-1]), str(wide)]
    write_page(page, Matches(names, [[], []], [[], []]), 0, model)
    for name, data in zip(names, content_of(page)["thumbnails"], strict=True):
        pixels = decode_image(Path(name).read_bytes(), name)
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            assert image.format == "WEBP"
            shown = np.asarray(image.convert("RGB")).astype(float)
            expected = Image.fromarray(pixels)
            expected.thumbnail(THUMBNAIL)
            assert image.size == expected.size
            assert np.abs(shown - np.asarray(expected)).mean() < 8
    assert image.size == (96, 24)


def test_kept_patches_are_those_of_the_network(pictures: Path, model: Embedder, page: Path) -> None:
    write_page(page, model.search(pictures, pictures, top=1), 4, model)
    content = content_of(page)
    rows, columns = content["grid"]
    for name, data in zip(content["names"], content["kept"], strict=True):
        bits = np.unpackbits(np.frombuffer(base64.b64decode(data), np.uint8))[: rows * columns]
        pixels = decode_image(Path(name).read_bytes(), name)
        masks = model.kept_patches([pixels])
        assert masks is not None
        (expected,) = masks
        np.testing.assert_array_equal(bits.reshape(rows, columns), expected)
        assert 0 < expected.sum() < expected.size


def test_network_without_dpsm_has_no_patches(tmp_path: Path, pictures: Path, page: Path) -> None:
    options = RunOptions(backbone=tiny_backbone(), model=ModelOptions(selection="none"))
    network = build_model(options, 2, pretrained=False)
    save_weights(network, tmp_path / "w.safetensors", describe(options, []))
    model = load(tmp_path / "w.safetensors", "cpu")
    write_page(page, model.search(pictures, pictures, top=1), 4, model)
    content = content_of(page)
    assert (content["grid"], content["kept"], content["threshold"]) == (None, [], None)


def test_names_cannot_end_the_data(pictures: Path, model: Embedder, page: Path) -> None:
    name = str(draw(pictures / 'a"</script><b>&.png', 1))
    write_page(page, model.search([name], [name]), 1, model)
    assert content_of(page)["names"] == [name]


def test_page_needs_no_other_file(model: Embedder, pictures: Path, page: Path) -> None:
    write_page(page, model.search(pictures, pictures), 4, model)
    text = page.read_text()
    for file in (".css", ".js"):
        assert TEMPLATE.with_suffix(file).read_text() in text
    assert "default-src 'none'" in text  # the browser refuses whatever is not in the page
    assert not re.search(r"https?://|<link (?!rel=\"icon\" href=\"data:,\")|@import", text)


def test_unreadable_picture_is_reported_and_shown_by_its_name(
    pictures: Path, model: Embedder, page: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    matches = model.search(pictures / "a.png", pictures)
    (pictures / "b.PNG").unlink()
    write_page(page, matches, 4, model)
    content = content_of(page)
    empty = [content["names"][i] for i, data in enumerate(content["thumbnails"]) if not data]
    assert empty == [str(pictures / "b.PNG")]
    assert f"warning: {pictures}/b.PNG: No such file" in capfd.readouterr().err


def test_same_matches_give_the_same_bytes(
    model: Embedder, pictures: Path, page: Path, tmp_path: Path
) -> None:
    matches = model.search(pictures, pictures)
    for file in (page, tmp_path / "again.html"):
        write_page(file, matches, 4, model)
    assert page.read_bytes() == (tmp_path / "again.html").read_bytes()
