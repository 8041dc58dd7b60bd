"""Members of zip files, tar files and folders, with a common type."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from pipeline.errors import InputError

DAMAGE = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError)
"""Errors of reading a truncated or corrupt archive."""
MAX_HEADER = 1 << 20
"""Maximum bytes of an extended tar header, which tarfile reads into memory; names are short."""
MAX_TAIL = 64 << 20
"""Maximum bytes after a tar's end mark: tars are padded to whole records."""
_CHUNK = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED, _UTF8 = 0x1, 0x800  # general purpose flags, PKWARE APPNOTE 4.4.4
_ZIP, _GZIP = b"PK", b"\x1f\x8b"  # first bytes of a file
_UNPACK = "unpack it ({}) and give the folder"
_OTHERS = {
    b"Rar!": ("a RAR archive", _UNPACK.format("unrar x")),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", _UNPACK.format("7z x")),
    b"BZh": ("a bzip2 file, such as a tar.bz2", _UNPACK.format("tar xf")),
    b"\xfd7zXZ": ("an xz file, such as a tar.xz", _UNPACK.format("tar xf")),
    b"\x28\xb5\x2f\xfd": ("a zstd file, such as a tar.zst", _UNPACK.format("tar xf")),
    b"<": (
        "an HTML page instead of the file",
        "download it with a browser: servers often ask for confirmation of large files",
    ),
}
"""Unsupported formats by first bytes: name, and advice."""
_EXTENDED = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
_SPECIAL = "is a link, a device or another special file"


@dataclass(frozen=True)
class Member:
    """A file or folder in an archive."""

    name: str
    """As stored, untrusted; with forward slashes, a folder's may end in one."""
    is_folder: bool
    size: int
    """Unpacked bytes, as the archive claims."""
    problem: str | None
    """Why it cannot be unpacked, or None."""
    open: Callable[[], IO[bytes] | None]


@contextmanager
def open_members(archive: Path) -> Iterator[Iterator[Member]]:
    """Open a zip, tar or tar.gz file, or a folder; yields an iterator over its members.

    Raises InputError for other formats, and for truncated or corrupt archives.
    """
    if archive.is_dir():
        yield _folder_members(archive)
        return
    if not archive.is_file():
        raise InputError(f"{archive}: expected a zip, a tar or a folder, found no such file")
    with open(archive, "rb") as file:
        magic = file.read(8)
    for start, (kind, advice) in _OTHERS.items():
        if magic.startswith(start):
            raise InputError(
                f"{archive}: expected a zip, tar, tar.gz or a folder, found {kind}: {advice}"
            )
    if magic.startswith(_ZIP):
        with _open_zip(archive) as opened_zip:
            yield map(partial(_zip_member, opened_zip), opened_zip.infolist())
    else:
        with _open_tar(archive, "r:gz" if magic.startswith(_GZIP) else "r:") as opened_tar:
            yield _tar_members(archive, opened_tar)


def _folder_members(folder: Path) -> Iterator[Member]:
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        plain = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
        yield Member(
            name=path.relative_to(folder).as_posix(),
            is_folder=stat.S_ISDIR(mode),
            size=path.lstat().st_size if stat.S_ISREG(mode) else 0,
            problem=None if plain else _SPECIAL,
            open=partial(io.FileIO, path),
        )


def _damaged(archive: Path, error: Exception) -> InputError:
    return InputError(
        f"{archive}: expected a whole zip or tar archive, found a truncated or corrupt file or "
        f"another format ({error}): download it again"
    )


def _open_zip(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except UnicodeDecodeError:
        raise InputError(
            f"{archive}: expected member names in UTF-8, found other bytes: pack it again"
        ) from None
    except (
        zipfile.BadZipFile,
        NotImplementedError,
    ) as error:  # the latter if a damaged version is too high
        raise _damaged(archive, error) from None


def _zip_member(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    return Member(
        name=info.orig_filename,  # zipfile changes `filename`
        is_folder=info.is_dir(),
        size=info.file_size,
        problem=_zip_problem(info),
        open=partial(opened.open, info),
    )


def _zip_problem(info: zipfile.ZipInfo) -> str | None:
    if not info.flag_bits & _UTF8 and not info.orig_filename.isascii():
        return "has a name that is not UTF-8"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in _METHODS:
        return f"is compressed by method {info.compress_type}; only stored and deflate are read"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if info.is_dir() else stat.S_IFREG):
        return _SPECIAL
    return None


class _Header(tarfile.TarInfo):
    """A tar header with a limit on its size."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> _Header:
        header = super().frombuf(buf, encoding, errors)
        if header.size < 0 or (header.type in _EXTENDED and header.size > MAX_HEADER):
            raise tarfile.ReadError(f"a header of {header.size} bytes")
        return header


def _open_tar(archive: Path, mode: Any) -> tarfile.TarFile:
    try:
        # surrogates mark names that are not UTF-8, which are refused later
        return tarfile.open(
            archive, mode, tarinfo=_Header, encoding="utf-8", errors="surrogateescape"
        )
    except DAMAGE as error:
        raise _damaged(archive, error) from None


def _tar_members(archive: Path, opened: tarfile.TarFile) -> Iterator[Member]:
    try:
        for info in opened:
            # `tar -C folder .` writes ./ before each name
            name = info.name.removeprefix("./")
            if name in ("", ".") and info.isdir():
                continue
            plain = info.isdir() or (info.isreg() and not info.issparse())
            yield Member(
                name=name,
                is_folder=info.isdir(),
                size=info.size,
                problem=None if plain else _SPECIAL,
                open=partial(opened.extractfile, info),
            )
        _read_to_the_end(opened)
    except DAMAGE as error:
        raise _damaged(archive, error) from None


def _read_to_the_end(opened: tarfile.TarFile) -> None:
    """Read the rest: tarfile ends at a damaged header, and gzip's checksum is last."""
    file: Any = opened.fileobj
    file.seek(opened.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("no end mark after the last member")
    for _ in range(MAX_TAIL // _CHUNK):
        if not file.read(_CHUNK):
            return
    raise tarfile.ReadError(f"more than {MAX_TAIL} bytes behind the end mark")
