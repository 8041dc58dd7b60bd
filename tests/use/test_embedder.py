"""Features of any pictures are those of the workflow; matches are those of a plain loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.data.images import decode_image
from pipeline.data.shards import Sample, write_index, write_shards
from pipeline.errors import InputError
from pipeline.evaluation.embed import embed
from pipeline.options.compute import ComputeOptions
from pipeline.use.embedder import Embedder
from tests.use.conftest import NAMES, draw


def workflow_features(run: Path, pictures: list[Path], folder: Path) -> np.ndarray:
    """Embed pictures as the workflow does: packed into shards, by the stage embed."""
    (folder / "shards").mkdir()
    meta = {"identity": 1, "camera": 1}
    samples = [
        Sample(f"k{i}", path.suffix.lower()[1:], path.read_bytes(), meta)
        for i, path in enumerate(pictures)
    ]
    rows = write_shards(folder / "shards", "gallery", samples)
    rows += write_shards(folder / "shards", "query", samples[:1])
    write_index(folder / "shards", rows)
    files = (run / "weights.safetensors", run / "run.json", folder / "shards", folder / "f.npz")
    embed(*files, ComputeOptions(device="cpu"))
    with np.load(folder / "f.npz") as arrays:
        return arrays["gallery_blended"]


def test_features_equal_those_of_the_workflow(
    trained: Path, pictures: Path, model: Embedder, tmp_path: Path
) -> None:
    """Of files, one of them turned by its EXIF orientation, of Pillow's images and of arrays."""
    paths = [pictures / name for name in NAMES]
    plain = workflow_features(trained, paths, tmp_path)
    expected = plain / np.linalg.norm(plain, axis=1, keepdims=True)
    found = model.embed(paths)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert np.abs(expected[0] - expected[1]).max() > 1e-3
    images = [Image.open(path) for path in paths]
    np.testing.assert_array_equal(model.embed(images), found)
    arrays = [decode_image(path.read_bytes(), "") for path in paths]
    np.testing.assert_array_equal(model.embed(arrays), found)
    np.testing.assert_array_equal(model.embed(pictures), found)


def test_features_do_not_depend_on_the_batch(
    pictures: Path, model: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = model.embed(pictures)
    monkeypatch.setattr("pipeline.use.embedder.BATCH", 3)
    np.testing.assert_allclose(model.embed(pictures), together, rtol=0, atol=1e-5)


def test_no_images_have_no_features(model: Embedder) -> None:
    assert model.embed([]).shape == (0, 128)


def test_every_unreadable_image_is_named(pictures: Path, model: Embedder) -> None:
    (pictures / "a.png").write_bytes(b"no image")
    images = [pictures / "a.png", np.zeros((2, 2), np.uint8), pictures / "none.jpg"]
    with pytest.raises(InputError) as error:
        model.embed([*images, pictures / "b.PNG"])
    first, second, third = str(error.value).split("\n")
    assert f"{pictures}/a.png: expected a whole JPEG" in first
    assert "1: expected an array (height, width, 3) uint8 of RGB pixels, found (2, 2)" in second
    assert f"{pictures}/none.jpg: No such file or directory" in third


def test_search_ranks_as_a_plain_loop(pictures: Path, model: Embedder, tmp_path: Path) -> None:
    queries = [draw(tmp_path / f"q{seed}.png", 10 + seed) for seed in range(3)]
    matches = model.search(queries, pictures, top=3)
    gallery = [str(pictures / name) for name in NAMES]
    features = model.embed(gallery)
    assert matches.queries == [str(path) for path in queries]
    for query, names, similarities in zip(queries, *matches[1:], strict=True):
        (own,) = model.embed([query])
        cosine = [float(own @ other) for other in features]
        best = sorted(range(len(gallery)), key=lambda i: -cosine[i])[:3]
        assert names == [gallery[i] for i in best]
        np.testing.assert_allclose(similarities, [cosine[i] for i in best], atol=1e-6)


def test_search_finds_the_picture_itself(pictures: Path, model: Embedder) -> None:
    """More matches than pictures are not to be had."""
    table = model.search(pictures / "b.PNG", model.gallery(pictures), top=99).table()
    assert table["rank"].tolist() == [1, 2, 3, 4]
    assert table["match"][0] == str(pictures / "b.PNG")
    assert table["similarity"][0] == pytest.approx(1, abs=1e-6)
    assert sorted(table["match"]) == sorted(str(pictures / name) for name in NAMES)


def test_pictures_in_memory_are_searched_by_position(model: Embedder) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (40, 20, 3), dtype=np.uint8) for _ in range(3)]
    matches = model.search([Image.fromarray(images[2])], images, top=1)
    assert (matches.queries, matches.names) == (["0"], [["2"]])
