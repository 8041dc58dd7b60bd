"""Unpack archives that came from elsewhere, and are not trusted.

zipfile renames what leaves the folder, tarfile's data filter renames absolute paths and keeps
links, and neither bounds the size.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from pipeline.data.containers import DAMAGE, Member, open_members
from pipeline.data.names import same_name
from pipeline.errors import InputError
from pipeline.files import atomic_folder, is_left_behind

MAX_RATIO = 200
"""Unpacked bytes for each byte of the archive: images hardly compress, bombs do 1000 times."""
MAX_BYTES = 200 * 10**9
MAX_MEMBERS = 2 * 10**6


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip, tar or tar.gz into `folder`, or copy a folder; it is replaced whole or not.

    Files that systems leave behind (see `is_left_behind`) are skipped. Raises InputError, before
    anything is written, for names that leave the folder, links and devices, names that differ in
    case or Unicode form only, encrypted members, names that are not UTF-8 and totals beyond
    `MAX_RATIO`, `MAX_BYTES` or `MAX_MEMBERS`; for archives of another format; and for an archive
    that holds a name twice, is cut off or corrupt.
    """
    with open_members(archive) as listed:
        members = _checked(archive, listed)
        _check_spelling(archive, members)
        progress = tqdm(members, desc=f"unpack {archive.name}", mininterval=5, dynamic_ncols=True)
        with atomic_folder(folder) as target:
            for member in progress:
                _extract(archive, member, target)


def _checked(archive: Path, listed: Iterable[Member]) -> list[Member]:
    """The members to unpack, each fit to be written; InputError for the first that is not."""
    packed = None if archive.is_dir() else archive.stat().st_size
    allowed = MAX_BYTES if packed is None else min(MAX_BYTES, MAX_RATIO * packed)
    members: list[Member] = []
    size = 0
    for number, member in enumerate(listed, start=1):
        skipped = is_left_behind(member.name)
        problem = _name_problem(member.name) or (None if skipped else member.problem)
        if problem:
            raise InputError(
                f"{archive}: refused, nothing was unpacked: member {member.name!r} {problem}"
            )
        size += member.size
        if not skipped:
            members.append(member)
        if size > allowed or number > MAX_MEMBERS:
            raise InputError(
                f"{archive}: refused, nothing was unpacked: expected at most {MAX_RATIO} times its "
                f"{packed} bytes, at most {MAX_BYTES} bytes and {MAX_MEMBERS} members, found "
                f"{size} bytes unpacked in the first {number} members"
            )
    return members


def _name_problem(name: str) -> str | None:
    """What is wrong with a member's name, or None."""
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        return "has a name that is not UTF-8"
    if not name.isprintable():
        return "has control characters in its name"
    if "\\" in name or re.match("[A-Za-z]:", name):
        return "has a backslash or a drive letter in its name"
    if name.startswith("/"):
        return "has an absolute path"
    if {"", ".", ".."} & set(name.removesuffix("/").split("/")):
        return "has a path with empty, '.' or '..' parts"
    return None


def _check_spelling(archive: Path, members: Sequence[Member]) -> None:
    """No two members may become one file on systems that ignore case or Unicode forms."""
    spelling: dict[str, str] = {}
    for member in members:
        path = PurePosixPath(member.name)
        for name in map(str, (path, *path.parents)):
            known = spelling.setdefault(same_name(name), name)
            if known != name:
                raise InputError(
                    f"{archive}: refused: {known!a} and {name!a} differ only in case or "
                    "Unicode form, and are one file on some systems: rename one"
                )


def _extract(archive: Path, member: Member, target: Path) -> None:
    path = target / member.name
    try:
        if member.is_folder:
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        source = member.open()
        assert source is not None  # tarfile has None for folders and links, which are not here
        with source, open(path, "xb") as file:
            shutil.copyfileobj(source, file)
    except (FileExistsError, NotADirectoryError):
        raise InputError(
            f"{archive}: refused: it holds {member.name!r} twice, or as both a file and a folder"
        ) from None
    except DAMAGE as error:
        raise InputError(
            f"{archive}: member {member.name!r} is cut off or corrupt ({error}): fetch the "
            "archive again"
        ) from None
