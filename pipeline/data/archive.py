"""Unpack archives that came from elsewhere, and are not trusted."""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from pipeline.errors import InputError
from pipeline.files import atomic_folder

MAX_RATIO = 200
"""Unpacked bytes for each byte of the archive: images hardly compress, bombs do 1000 times."""
MAX_BYTES = 200 * 10**9
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED, _UTF8 = 0x1, 0x800  # general purpose flags, PKWARE APPNOTE 4.4.4
_SYSTEM_FILES = frozenset({"Thumbs.db", ".DS_Store", "desktop.ini", "__MACOSX"})


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip into `folder`, which is replaced as a whole or not at all.

    Files that operating systems leave behind (Thumbs.db, .DS_Store, desktop.ini, __MACOSX/) are
    skipped. Raises InputError, before anything is written, for names that leave the folder, links
    and devices, names that are equal or differ in case only, encrypted members, names that are
    not UTF-8 and totals beyond `MAX_RATIO` or `MAX_BYTES`; and for an archive that is cut off or
    corrupt.
    """
    if not archive.is_file():
        raise InputError(f"{archive}: expected a zip archive, found no such file")
    with _open(archive) as opened:
        members = opened.infolist()
        _check_members(archive, members)
        wanted = [m for m in members if not _SYSTEM_FILES & set(PurePosixPath(m.filename).parts)]
        progress = tqdm(wanted, desc=f"unpack {archive.name}", mininterval=5, dynamic_ncols=True)
        with atomic_folder(folder) as target:
            for member in progress:
                _extract(archive, opened, member, target)


def _open(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except UnicodeDecodeError:
        raise InputError(
            f"{archive}: expected member names in UTF-8, found other bytes: pack it again"
        ) from None
    # zipfile raises NotImplementedError for a file of a later version of the format
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise InputError(
            f"{archive}: expected a whole zip archive, found one that is cut off, corrupt or of "
            f"another kind ({error}): fetch it again"
        ) from None


def _check_members(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    for member in members:
        problem = _problem(member)
        if problem:
            raise InputError(
                f"{archive}: refused, nothing was unpacked: member {member.orig_filename!r} "
                f"{problem}"
            )
    _check_collisions(archive, members)
    size, packed = sum(member.file_size for member in members), archive.stat().st_size
    if size > min(MAX_BYTES, MAX_RATIO * packed):
        raise InputError(
            f"{archive}: refused, nothing was unpacked: expected at most {MAX_RATIO} times its "
            f"{packed} bytes and at most {MAX_BYTES}, found {size} bytes unpacked"
        )


def _problem(member: zipfile.ZipInfo) -> str | None:
    """What is wrong with one member, or None."""
    name = member.orig_filename  # `filename` is already tidied up
    if not member.flag_bits & _UTF8 and not name.isascii():
        return "has a name that is not UTF-8"
    if not name.isprintable():
        return "has control characters in its name"
    if "\\" in name or re.match("[A-Za-z]:", name):
        return "has a backslash or a drive letter in its name"
    if name.startswith("/"):
        return "has an absolute path"
    parts = name.removesuffix("/").split("/")
    if {"", ".", ".."} & set(parts):
        return "has a path with empty, '.' or '..' parts"
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if member.compress_type not in _METHODS:
        return f"is compressed by method {member.compress_type}; only stored and deflate are read"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if member.is_dir() else stat.S_IFREG):
        return "is a link, a device or another special file"
    return None


def _check_collisions(archive: Path, members: Iterable[zipfile.ZipInfo]) -> None:
    """No two members may become one file, on file systems that ignore case either."""
    spelling: dict[str, str] = {}
    files: set[str] = set()
    folders: set[str] = set()
    for member in members:
        path = PurePosixPath(member.filename)
        above = {str(parent) for parent in path.parents}
        for name in {str(path)} | above:
            known = spelling.setdefault(name.casefold(), name)
            if known != name:
                raise InputError(f"{archive}: refused: {known!r} and {name!r} differ only in case")
        if not member.is_dir() and str(path) in files:
            raise InputError(f"{archive}: refused: it holds {str(path)!r} twice")
        folders |= above | ({str(path)} if member.is_dir() else set())
        files |= set() if member.is_dir() else {str(path)}
    if both := sorted(files & folders):
        raise InputError(f"{archive}: refused: {both[0]!r} is both a file and a folder")


def _extract(archive: Path, opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    path = target / member.filename
    if member.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with opened.open(member) as source, open(path, "wb") as file:
            shutil.copyfileobj(source, file)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(
            f"{archive}: member {member.filename!r} is cut off or corrupt ({error}): fetch the "
            "archive again"
        ) from None
