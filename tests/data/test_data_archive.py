from __future__ import annotations

import stat
import warnings
import zipfile
from pathlib import Path

import pytest

from pipeline.data.archive import unpack
from pipeline.errors import InputError
from tests.data.unpacking import BAD_NAMES, assert_refused, content
from tests.faults import flip_byte
from tests.miniatures import write_zip


def _zip(path: Path, *members: str | zipfile.ZipInfo, data: bytes = b"data") -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of duplicate names
        with zipfile.ZipFile(path, "w") as archive:
            for member in members:
                archive.writestr(member, data)
    return path


def _special(name: str, kind: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.create_system = 3
    member.external_attr = (kind | 0o777) << 16
    return member


def test_content_and_empty_folders_are_unpacked(tmp_path: Path) -> None:
    files = {"a/1.jpg": b"one", "a/b/2.jpg": b"two", "empty": b""}
    unpack(write_zip(tmp_path / "a.zip", files | {"c/": b""}), tmp_path / "images")
    assert content(tmp_path / "images") == files
    assert (tmp_path / "images/c").is_dir()


def test_system_files_are_skipped(tmp_path: Path) -> None:
    junk = ["query/Thumbs.db", "__MACOSX/query/1.jpg", "query/.DS_Store", "query/._1.jpg"]
    junk += ["query/THUMBS.DB", "query/ehthumbs.db", "query/.picasa.ini", ".git/1.jpg"]
    archive = write_zip(tmp_path / "a.zip", dict.fromkeys(["query/1.jpg", *junk], b"x"))
    unpack(archive, tmp_path / "images")
    names = [path.name for path in (tmp_path / "images").rglob("*")]
    assert sorted(names) == ["1.jpg", "query"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *BAD_NAMES,
        ("query//1.jpg", "empty"),
        ("query/a\u202egpj.exe", "control characters"),
    ],
)
def test_names_that_leave_the_folder(tmp_path: Path, name: str, reason: str) -> None:
    assert_refused(_zip(tmp_path / "bad.zip", "query/1.jpg", name), tmp_path, reason)


def test_name_with_a_nul_byte(tmp_path: Path) -> None:
    path = _zip(tmp_path / "bad.zip", "query/1.jpgX")
    path.write_bytes(path.read_bytes().replace(b"1.jpgX", b"1.jpg\0"))
    assert_refused(path, tmp_path, "control characters")


@pytest.mark.parametrize(
    "kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK]
)
def test_links_and_devices(tmp_path: Path, kind: int) -> None:
    archive = _zip(tmp_path / "bad.zip", _special("query/1.jpg", kind), data=b"/etc/passwd")
    assert_refused(archive, tmp_path, "'query/1.jpg' is a link, a device")


def test_equal_names(tmp_path: Path) -> None:
    assert_refused(_zip(tmp_path / "bad.zip", "query/1.jpg", "query/1.jpg"), tmp_path, "twice")


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("query/1.jpg", "query/1.JPG"),
        ("query/1.jpg", "Query/2.jpg"),
        ("query/\u00e9.jpg", "query/e\u0301.jpg"),
    ],
)
def test_names_that_are_one_on_some_systems(tmp_path: Path, name: str, other: str) -> None:
    reason = f"{ascii(name)[1:6]}.*only in case or Unicode form"
    assert_refused(_zip(tmp_path / "bad.zip", name, other), tmp_path, reason)


def test_hidden_links_of_a_folder_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "crops/.venv").mkdir(parents=True)
    (tmp_path / "crops/.venv/python").symlink_to("/usr/bin/python3")
    (tmp_path / "crops/1.jpg").write_bytes(b"x")
    unpack(tmp_path / "crops", tmp_path / "images")
    assert content(tmp_path / "images") == {"1.jpg": b"x"}


@pytest.mark.parametrize("order", [1, -1])
def test_name_that_is_a_file_and_a_folder(tmp_path: Path, order: int) -> None:
    names = ["query", "query/1.jpg"][::order]
    assert_refused(_zip(tmp_path / "bad.zip", *names), tmp_path, "both a file and a folder")


def test_encrypted_member(tmp_path: Path) -> None:
    path = _zip(tmp_path / "bad.zip", "query/1.jpg")
    data = bytearray(path.read_bytes())
    data[6] |= 1  # flags in the local header
    data[data.index(b"PK\x01\x02") + 8] |= 1  # and in the central directory
    path.write_bytes(data)
    assert_refused(path, tmp_path, "'query/1.jpg' is encrypted")


def test_unknown_compression(tmp_path: Path) -> None:
    member = zipfile.ZipInfo("query/1.jpg")
    member.compress_type = zipfile.ZIP_LZMA
    assert_refused(_zip(tmp_path / "bad.zip", member), tmp_path, "method 14")


def test_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = _zip(tmp_path / "bad.zip", "query/1X.jpg")
    path.write_bytes(path.read_bytes().replace(b"1X", b"1\xe9"))
    assert_refused(path, tmp_path, "not UTF-8")


def test_name_that_claims_to_be_utf8(tmp_path: Path) -> None:
    path = _zip(tmp_path / "bad.zip", "query/1é.jpg")
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xfe"))
    assert_refused(path, tmp_path, "UTF-8")


def test_size_bomb(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("query/1.jpg", bytes(4_000_000))
    assert_refused(path, tmp_path, "at most 200 times")


def test_size_that_is_a_lie(tmp_path: Path) -> None:
    path = _zip(tmp_path / "bad.zip", "query/1.jpg", data=bytes(1000))
    data = path.read_bytes()
    path.write_bytes(data.replace((1000).to_bytes(4, "little") * 2, b"\x04\0\0\0\x04\0\0\0"))
    assert_refused(path, tmp_path, "'query/1.jpg' is cut off or corrupt")


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.9])
def test_cut_off_archive(tmp_path: Path, files: dict, keep: float) -> None:
    path = write_zip(tmp_path / "archive.zip", files)
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    assert_refused(path, tmp_path, "expected a whole zip or tar archive")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_flipped_byte_names_the_member(tmp_path: Path, method: int) -> None:
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("query/1.jpg", bytes(range(256)) * 8)
        archive.writestr("query/2.jpg", b"unharmed")
    flip_byte(path, 120)
    assert_refused(path, tmp_path, "'query/1.jpg' is cut off or corrupt")


def test_missing_archive(tmp_path: Path) -> None:
    assert_refused(tmp_path / "none.zip", tmp_path, "no such file")


def test_failure_keeps_what_was_there(tmp_path: Path) -> None:
    unpack(write_zip(tmp_path / "archive.zip", {"1.jpg": b"old"}), tmp_path / "images")
    with pytest.raises(InputError):
        unpack(_zip(tmp_path / "bad.zip", "../1.jpg"), tmp_path / "images")
    assert (tmp_path / "images/1.jpg").read_bytes() == b"old"
