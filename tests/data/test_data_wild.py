"""Copies of the real archives with other files or names than the authors'."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.data.manifest import read_manifest
from pipeline.errors import InputError
from pipeline.options.data import IngestOptions
from tests.data.stages import run_ingest
from tests.miniatures import MINIATURES, Miniature, picture, write_folder, write_zip

BY_NAME = [name for name in MINIATURES if not name.startswith(("msmt17", "folder"))]
IMAGES = ("jpg", "png", "tif")


def _labels(archive: Path, name: str, small: Miniature) -> list[tuple]:
    options = IngestOptions(dataset=name, expected=small.counts)
    table = read_manifest(run_ingest(archive, options))
    return sorted(table[["split", "identity", "camera"]].itertuples(index=False, name=None))


def _assert_same_labels(folder: Path, name: str, files: dict[str, bytes]) -> None:
    """The archive of `files` is read as the miniature."""
    small = MINIATURES[name]
    expected = _labels(write_zip(folder / "a.zip", small.files), name, small)
    assert _labels(write_zip(folder / "b.zip", files), name, small) == expected


@pytest.mark.parametrize("name", BY_NAME)
def test_doubled_suffixes_capitals_and_other_files_are_accepted(
    tmp_path: Path, name: str, capsys
) -> None:
    files = dict(MINIATURES[name].files)
    images = [path for path in files if path.endswith(IMAGES)]
    for path in images[::3]:
        files[f"{path}.{path[-3:]}"] = files.pop(path)
    for path in images[1::3]:
        files[path[:-3] + path[-3:].upper()] = files.pop(path)
    for path in images:
        for other in ("ehthumbs.db", "Thumbs.db", ".picasa.ini", "._a.jpg", "list.txt"):
            files[f"{path.rpartition('/')[0]}/{other}"] = b"x"
    _assert_same_labels(tmp_path, name, files)
    assert "other files in " in capsys.readouterr().out


def test_msmt17_capital_suffixes_are_accepted(tmp_path: Path) -> None:
    files = {
        path.replace(".jpg", ".JPG"): data.replace(b".jpg ", b".JPG\t")
        for path, data in MINIATURES["msmt17_train"].files.items()
    }
    _assert_same_labels(tmp_path, "msmt17_train", files)


@pytest.mark.parametrize("name", ["0001_c1s1_000151_09", "0001_c1s1_000151_09.photo"])
def test_images_without_a_known_suffix_are_named(tmp_path: Path, name: str) -> None:
    files = {f"query/{name}": picture(1), "query/a.heic": b"\0\0\0\x18ftypheic" + bytes(9)}
    top = "Market-1501-v15.09.15/"
    small = MINIATURES["market1501"].files
    archive = write_zip(tmp_path / "a.zip", small | {top + k: v for k, v in files.items()})
    with pytest.raises(InputError) as error:
        run_ingest(archive, IngestOptions(dataset="market1501"))
    for found in ("2 others", f"query/{name} (by its content JPEG)", "a.heic (by its content HEIC"):
        assert found in str(error.value)


@pytest.mark.parametrize("flat", [True, False])
def test_occluded_reid_with_query_and_gallery_folders_is_accepted(
    tmp_path: Path, flat: bool
) -> None:
    """Copies in common toolboxes have other folders, some without a folder per person."""
    folders = {"occluded_body_images": "query", "whole_body_images": "gallery"}
    files = {}
    for path, data in MINIATURES["occluded_reid"].files.items():
        _, folder, person, file = path.split("/")
        files["/".join([folders[folder], *([] if flat else [person]), file])] = data
    _assert_same_labels(tmp_path, "occluded_reid", files)


def test_partial_ilids_with_numbered_names_is_accepted(tmp_path: Path) -> None:
    small = MINIATURES["partial_ilids"].files
    files = {path.replace(".jpg", "_1.jpg"): data for path, data in small.items()}
    _assert_same_labels(tmp_path, "partial_ilids", files)


def test_cuhk03_original_release_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "cuhk-03.mat").write_bytes(b"MATLAB 7.3 MAT-file")
    release = {"cuhk03_release/cuhk-03.mat": b"MATLAB 7.3", "cuhk03_release/README.md": b"x"}
    zipped = write_zip(tmp_path / "cuhk03_release.zip", release)
    folder = write_folder(tmp_path / "unpacked", release)
    for archive in (tmp_path / "cuhk-03.mat", zipped, folder):
        with pytest.raises(InputError, match=r"give cuhk03-np\.zip of github\.com/zhunzhong07"):
            run_ingest(archive, IngestOptions(dataset="cuhk03_detected"))
