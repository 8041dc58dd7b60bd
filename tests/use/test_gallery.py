"""A gallery embeds what it lacks, keeps its features in a file, and says what it left out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import InputError
from pipeline.use.embedder import Embedder
from pipeline.use.gallery import Gallery, read_gallery
from tests.use.conftest import NAMES, draw


@contextmanager
def embedded_images(model: Embedder) -> Iterator[list[int]]:
    """Collect the number of images in each batch that the network sees."""
    sizes: list[int] = []

    def count(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        sizes.append(len(inputs[0]))

    handle = model.network.register_forward_pre_hook(count)
    yield sizes
    handle.remove()


def test_gallery_lists_the_pictures_of_a_folder(pictures: Path, model: Embedder) -> None:
    gallery = model.gallery(pictures)
    assert gallery.names == [str(pictures / name) for name in NAMES]
    np.testing.assert_array_equal(gallery.features, model.embed(pictures))


def test_only_new_contents_are_embedded(pictures: Path, model: Embedder, tmp_path: Path) -> None:
    """A copy of a known picture is an image of its own, with the same features."""
    model.gallery(pictures).save(tmp_path / "g.npz")
    gallery = read_gallery(tmp_path / "g.npz")
    draw(pictures / "new.png", 8)
    draw(pictures / "same.png", 8)
    shutil.copy(pictures / "a.png", pictures / "copy.png")
    with embedded_images(model) as sizes:
        model.add(gallery, pictures)
    assert sizes == [1]
    added = ("copy.png", "new.png", "same.png")
    assert gallery.names == [str(pictures / name) for name in (*NAMES, *added)]
    np.testing.assert_allclose(gallery.features, model.embed(gallery.names), rtol=0, atol=1e-5)
    with embedded_images(model) as sizes:
        model.add(gallery, pictures)
    assert sizes == []
    assert len(gallery) == 7


def test_changed_picture_replaces_the_old_one(pictures: Path, model: Embedder) -> None:
    gallery = model.gallery(pictures)
    draw(pictures / "a.png", 9)
    model.add(gallery, [pictures / "a.png"])
    assert gallery.names == [str(pictures / name) for name in (*NAMES[1:], "a.png")]
    np.testing.assert_allclose(gallery.features, model.embed(gallery.names), rtol=0, atol=1e-5)


def test_saved_gallery_is_read_back(pictures: Path, model: Embedder, tmp_path: Path) -> None:
    gallery = model.gallery(pictures)
    gallery.save(tmp_path / "g.npz")
    found = read_gallery(tmp_path / "g.npz")
    assert (found.names, found.hashes) == (gallery.names, gallery.hashes)
    assert (found.network, found.index) == (model.sha256, None)
    np.testing.assert_array_equal(found.features, gallery.features)


@pytest.mark.usefixtures("few_are_exact")
def test_large_gallery_keeps_and_extends_its_index(
    pictures: Path, model: Embedder, tmp_path: Path
) -> None:
    gallery = model.gallery([pictures / name for name in NAMES[:3]])
    assert gallery.index is not None
    gallery.save(tmp_path / "g.npz")
    found = read_gallery(tmp_path / "g.npz")
    assert found.index is not None
    model.add(found, pictures)
    assert found.index.ntotal == len(found) == len(NAMES)
    matches = model.search(pictures, found, top=1)
    assert matches.names == [[name] for name in matches.queries]


@pytest.fixture
def few_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Galleries of more than two images have an index, of a single cell."""
    monkeypatch.setattr("pipeline.use.gallery.EXACT_UP_TO", 2)
    monkeypatch.setattr("pipeline.use.nearest.CELLS_PER_ROOT", 1)


def test_unreadable_pictures_are_reported_and_left_out(
    pictures: Path, model: Embedder, capfd: pytest.CaptureFixture[str]
) -> None:
    (pictures / "a.png").write_bytes(b"")
    (pictures / "sub/cut.jpg").write_bytes((pictures / NAMES[-1]).read_bytes()[:200])
    (pictures / "x.gif").write_bytes(b"GIF89a")
    gallery = model.gallery(pictures)
    assert gallery.names == [str(pictures / name) for name in NAMES[1:]]
    warnings = [line for line in capfd.readouterr().err.splitlines() if "warning" in line]
    for name, line in zip(("a.png", "sub/cut.jpg", "x.gif"), warnings, strict=True):
        assert line.startswith(f"warning: {pictures}/{name}: expected")


def test_no_readable_picture_is_an_error(model: Embedder, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(InputError, match="pictures: found none of 1 readable"):
        model.gallery(tmp_path)


def test_folder_without_pictures_is_an_error(model: Embedder, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(InputError, match=r"expected a folder with images .* found none"):
        model.gallery(tmp_path)
    with pytest.raises(InputError, match="missing: no such file or folder"):
        model.gallery(tmp_path / "missing")


def test_gallery_of_another_network_is_refused(
    pictures: Path, model: Embedder, tmp_path: Path
) -> None:
    other = Gallery(["a"], ["0"], np.ones((1, 128), np.float32), "0123456789abcdef")
    other.save(tmp_path / "other.npz")
    expected = f"found features of the network 0123456789ab, expected .* {model.sha256[:12]}"
    with pytest.raises(InputError, match=rf"other\.npz: {expected}"):
        model.search(pictures, tmp_path / "other.npz")
    with pytest.raises(InputError, match=f"gallery: {expected}"):
        model.add(other, pictures)


@pytest.mark.parametrize("content", ["text", "npy", "npz", "index"])
def test_file_that_is_no_gallery_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "g.npz"
    with open(path, "wb") as file:
        if content == "text":
            file.write(b"text")
        elif content == "npy":
            np.save(file, np.zeros(3))
        elif content == "npz":
            np.savez(file, gallery_blended=np.zeros(3))
        else:
            np.savez(file, index=np.zeros(9, np.uint8))
    with pytest.raises(InputError, match=r"g\.npz: expected features that dpeformer embed wrote"):
        read_gallery(path)
