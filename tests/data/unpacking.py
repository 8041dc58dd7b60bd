"""What tests of all kinds of archives look at."""

from pathlib import Path

import pytest

from pipeline.data.archive import unpack
from pipeline.errors import InputError

BAD_NAMES = [
    ("/etc/passwd", "absolute path"),
    ("../outside.jpg", "'..' parts"),
    ("query/../../outside.jpg", "'..' parts"),
    ("query\\1.jpg", "backslash"),
    ("C:1.jpg", "drive letter"),
    ("query/a\nb.jpg", "control characters"),
]
"""Names in an archive that are refused, and why."""


def assert_refused(archive: Path, tmp_path: Path, reason: str) -> None:
    """`unpack` says why, and leaves nothing but what was there."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=reason) as error:
        unpack(archive, tmp_path / "images")
    assert str(archive) in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


def content(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, by its path there."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
