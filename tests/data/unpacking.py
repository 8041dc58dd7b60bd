"""What tests of all kinds of archives look at."""

from pathlib import Path

import pytest

from pipeline.data.archive import unpack
from pipeline.errors import InputError


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
