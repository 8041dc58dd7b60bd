"""Unpack untrusted archives.

zipfile renames members that leave the folder, tarfile's data filter renames absolute paths and
keeps links, and neither limits the size.
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
"""Maximum of unpacked over packed bytes: images hardly compress, zip bombs about 1000 times."""
MAX_BYTES = 200 * 10**9
MAX_MEMBERS = 2 * 10**6


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip, tar or tar.gz, or copy a folder, atomically to `folder`.

    Files of operating systems (see `is_left_behind`) are ignored. Raises InputError before writing
    for names outside the folder or not in UTF-8, names that differ only in case or Unicode form,
    links, devices, encrypted members, more than `MAX_RATIO`, `MAX_BYTES` or `MAX_MEMBERS`, and
    other formats; also for duplicate names and for truncated or corrupt archives.
    """
    with open_members(archive) as listed:
        members = _checked(archive, listed)
        _check_spelling(archive, members)
        progress = tqdm(members, desc=f"unpack {archive.name}", mininterval=5, dynamic_ncols=True)
        with atomic_folder(folder) as target:
            for member in progress:
                _extract(archive, member, target)


def _checked(archive: Path, listed: Iterable[Member]) -> list[Member]:
    """Return the members to unpack; InputError for the first invalid one."""
    packed = None if archive.is_dir() else archive.stat().st_size
    allowed = MAX_BYTES if packed is None else min(MAX_BYTES, MAX_RATIO * packed)
    members: list[Member] = []
    size = 0
    for number, member in enumerate(listed, start=1):
        ignored = is_left_behind(member.name)
        problem = _name_problem(member.name) or (None if ignored else member.problem)
        if problem:
            raise InputError(
                f"{archive}: member {member.name!r} {problem}; nothing was unpacked: pack it again"
            )
        size += member.size
        if not ignored:
            members.append(member)
        if size > allowed or number > MAX_MEMBERS:
            raise InputError(
                f"{archive}: expected at most {MAX_RATIO} times its {packed} bytes, {MAX_BYTES} "
                f"bytes and {MAX_MEMBERS} members, found {size} bytes unpacked in the first "
                f"{number} members; nothing was unpacked: unpack a trusted archive, give the folder"
            )
    return members


def _name_problem(name: str) -> str | None:
    """Return the problem of a member's name, or None."""
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
    """Forbid names that are the same file on systems that ignore case or Unicode form."""
    spelling: dict[str, str] = {}
    for member in members:
        path = PurePosixPath(member.name)
        for name in map(str, (path, *path.parents)):
            known = spelling.setdefault(same_name(name), name)
            if known != name:
                raise InputError(
                    f"{archive}: {known!a} and {name!a} differ only in case or Unicode form, and "
                    "are one file on some systems: rename one"
                )


def _extract(archive: Path, member: Member, target: Path) -> None:
    path = target / member.name
    try:
        if member.is_folder:
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        source = member.open()
        assert source is not None  # None only for folders and links
        with source, open(path, "xb") as file:
            shutil.copyfileobj(source, file)
    except (FileExistsError, NotADirectoryError):
        raise InputError(
            f"{archive}: found {member.name!r} twice, or as both a file and a folder: pack it again"
        ) from None
    except DAMAGE as error:
        raise InputError(
            f"{archive}: member {member.name!r} is cut off or corrupt ({error}): fetch the "
            "archive again"
        ) from None
