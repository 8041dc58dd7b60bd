"""tar, tar.gz, unpacked folders and other formats: the same rules as for zip."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from pipeline.data import archive as archive_module
from pipeline.data import containers
from pipeline.data.archive import unpack
from tests.data.unpacking import BAD_NAMES, assert_refused, content
from tests.faults import flip_byte
from tests.miniatures import write_folder

FILES = {"query/1.jpg": b"one" * 300, "query/deep/2.jpg": b"two", "query/3.jpg": b""}


def _member(name: str, data: bytes = b"data", kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    info.size = len(data) if kind == tarfile.REGTYPE else 0
    return info


def _tar(
    path: Path, *members: tarfile.TarInfo | str, mode: str = "w", data: bytes = b"data"
) -> Path:
    with tarfile.open(path, mode, format=tarfile.GNU_FORMAT) as tar:
        for member in members:
            info = member if isinstance(member, tarfile.TarInfo) else _member(member, data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("arcname", [".", "top", ""])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_content_is_unpacked(tmp_path: Path, mode: str, format_: int, arcname: str) -> None:
    """`tar -C folder .`, a folder as it is, and long names that need extended headers."""
    files = FILES | {f"{'n' * 90}/é{'m' * 120 if format_ != tarfile.USTAR_FORMAT else ''}": b"long"}
    source = write_folder(
        tmp_path / "source", files | {"query/Thumbs.db": b"x", "query/._1.jpg": b"x"}
    )
    with tarfile.open(tmp_path / "a.tar", mode, format=format_, encoding="utf-8") as tar:
        tar.add(source, arcname or "/")
    unpack(tmp_path / "a.tar", tmp_path / "images")
    assert content(tmp_path / "images" / ("top" if arcname == "top" else "")) == files


def test_a_folder_is_copied(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "source", FILES | {"query/Thumbs.db": b"x"})
    unpack(source, tmp_path / "images")
    assert content(tmp_path / "images") == FILES
    assert (tmp_path / "images/query/1.jpg").stat().st_ino != (source / "query/1.jpg").stat().st_ino


@pytest.mark.parametrize("target", ["/etc", "1.jpg"])
def test_a_link_in_a_folder(tmp_path: Path, target: str) -> None:
    source = write_folder(tmp_path / "source", FILES)
    (source / "query/link").symlink_to(target)
    assert_refused(source, tmp_path, "'query/link' is a link")


def test_a_pipe_in_a_folder(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "source", FILES)
    os.mkfifo(source / "query/pipe")
    assert_refused(source, tmp_path, "'query/pipe' is a link, a device")


@pytest.mark.parametrize("name", ["query/1.JPG", b"query/1\xe9.jpg"])
def test_bad_names_in_a_folder(tmp_path: Path, name: str | bytes) -> None:
    source = write_folder(tmp_path / "source", FILES)
    (source / os.fsdecode(name)).write_bytes(b"x")
    assert_refused(source, tmp_path, "only in case" if isinstance(name, str) else "not UTF-8")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *BAD_NAMES,
        (".//etc/passwd", "absolute path"),
        ("././../outside.jpg", "'..' parts"),
        ("query/a\udce9.jpg", "not UTF-8"),
    ],
)
def test_names_that_leave_the_folder(tmp_path: Path, name: str, reason: str) -> None:
    assert_refused(_tar(tmp_path / "bad.tar", "query/1.jpg", name), tmp_path, reason)


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"Z"],
)
def test_links_and_devices(tmp_path: Path, kind: bytes) -> None:
    bad = _tar(tmp_path / "bad.tar", "query/1.jpg", _member("query/2.jpg", kind=kind))
    assert_refused(bad, tmp_path, "'query/2.jpg' is a link, a device")


def test_file_below_a_link(tmp_path: Path) -> None:
    """The classic: a link to the outside, then a file behind it."""
    link = _member("query", kind=tarfile.SYMTYPE)
    assert_refused(_tar(tmp_path / "bad.tar", link, "query/1.jpg"), tmp_path, "'query' is a link")


def test_names_that_collide(tmp_path: Path) -> None:
    path = tmp_path / "bad.tar"
    assert_refused(_tar(path, "query/1.jpg", "query/1.jpg"), tmp_path, "twice")
    assert_refused(_tar(path, "query/1.jpg", "./query/1.jpg"), tmp_path, "twice")
    assert_refused(_tar(path, "query/1.jpg", "query/1.JPG"), tmp_path, "only in case")
    assert_refused(_tar(path, "query/1.jpg", "query"), tmp_path, "both a file and a folder")


def test_size_bomb(tmp_path: Path) -> None:
    path = _tar(tmp_path / "bomb.tar.gz", "query/1.jpg", mode="w:gz", data=bytes(4_000_000))
    assert_refused(path, tmp_path, "at most 200 times")


def test_claimed_size_stops_the_listing(tmp_path: Path) -> None:
    """A header that claims a terabyte is refused before anything behind it is read."""
    info = _member("query/1.jpg")
    info.size = 1 << 40
    path = tmp_path / "bomb.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    assert_refused(path, tmp_path, f"found {1 << 40} bytes unpacked in the first 1 members")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_header_bomb(tmp_path: Path, kind: bytes) -> None:
    """tarfile would read such a header into memory."""
    info = _member("header", kind=kind)
    info.size = 50_000_000
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(gzip.compress(info.tobuf(tarfile.USTAR_FORMAT) + bytes(50_000_000)))
    assert_refused(path, tmp_path, "a header of 50000000 bytes")


def test_many_members(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(archive_module, "MAX_MEMBERS", 2)
    names = ["query/1.jpg", "query/2.jpg", "query/3.jpg"]
    assert_refused(
        _tar(tmp_path / "bad.tar", *names), tmp_path, "2 members, found .* first 3 members"
    )


def test_endless_tail(tmp_path: Path, monkeypatch) -> None:
    path = _tar(tmp_path / "a.tar", "query/1.jpg")
    path.write_bytes(path.read_bytes() + bytes(3 << 20))
    unpack(path, tmp_path / "fine")
    monkeypatch.setattr(containers, "MAX_TAIL", 2 << 20)
    assert_refused(path, tmp_path, "bytes behind the end mark")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
def test_cut_off_archive(tmp_path: Path, mode: str, keep: float) -> None:
    noise = os.urandom(3000)
    names = [f"query/{i}.jpg" for i in range(9)]
    path = _tar(tmp_path / "bad.tar", *names, mode=mode, data=noise)
    size = path.stat().st_size if mode == "w:gz" else 9 * (512 + 3072)
    path.write_bytes(path.read_bytes()[: int(size * keep)])
    assert_refused(path, tmp_path, "expected a whole zip or tar archive")


def test_cut_off_between_two_members(tmp_path: Path) -> None:
    path = _tar(tmp_path / "bad.tar", "query/1.jpg", "query/2.jpg")
    path.write_bytes(path.read_bytes()[:1024])
    assert_refused(path, tmp_path, "no end mark")


def test_damaged_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    path = _tar(tmp_path / "bad.tar", "query/1.jpg", "query/2.jpg")
    flip_byte(path, 1024)  # the first letter of the second member's name
    assert_refused(path, tmp_path, "no end mark")


def test_wrong_checksum_of_gzip(tmp_path: Path) -> None:
    path = _tar(tmp_path / "bad.tar.gz", "query/1.jpg", mode="w:gz", data=os.urandom(5000))
    flip_byte(path, -8)
    assert_refused(path, tmp_path, "CRC check failed")


@pytest.mark.parametrize(
    ("name", "start", "reason"),
    [
        (
            "a.rar",
            b"Rar!\x1a\x07\x01\0",
            "found a RAR archive: unpack it .unrar x. and give",
        ),
        ("a.7z", b"7z\xbc\xaf\x27\x1c", "found a 7z archive: unpack it .7z x. and give the folder"),
        ("a.tar.bz2", b"BZh91AY", "found a bzip2 file, such as a tar.bz2: unpack it .tar xf."),
        ("a.tar.xz", b"\xfd7zXZ\0", "found an xz file, such as a tar.xz: unpack it .tar xf."),
        ("a.tar.zst", b"\x28\xb5\x2f\xfd", "found a zstd file"),
        ("a.zip", b"<!DOCTYPE html>", "found an HTML page.* download it with a browser"),
    ],
)
def test_other_formats_are_named(tmp_path: Path, name: str, start: bytes, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(start + bytes(100))
    assert_refused(path, tmp_path, f"expected a zip, tar, tar.gz or a folder, {reason}")
