"""Data that one of the compared variants cannot use is refused before the first training."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.data.trainable import check_trainable
from pipeline.errors import InputError
from pipeline.options.run import TrainingNeeds


def _check(
    folder: Path, *rows: tuple[str, int, int], identities: int = 2, cameras=False, tested=True
) -> None:
    """Check shards with rows of (split, identity, camera)."""
    lines = [f"{split}-000000.tar,{i},{c}" for split, i, c in rows]
    (folder / "index.csv").write_text("\n".join(["shard,identity,camera", *lines, ""]))
    needs = TrainingNeeds(identities=identities, camera_embedding=cameras, tested=tested)
    check_trainable(folder, needs)


ROWS = [("train", 1, 1), ("train", 1, 2), ("train", 2, 2), ("query", 3, 1), ("gallery", 3, 2)]


def test_unsuitable_data_stops_before_training(tmp_path: Path) -> None:
    _check(tmp_path, *ROWS, cameras=True)
    reason = r"training\.identities: found 2 identities in the training split, .* the 3 of a batch"
    with pytest.raises(InputError, match=f"{tmp_path}: {reason}"):
        _check(tmp_path, *ROWS, identities=3)
    other = ("gallery", 3, 7)
    _check(tmp_path, *ROWS, other)
    with pytest.raises(InputError, match=r"found test cameras 7, .* cameras 1, 2 only"):
        _check(tmp_path, *ROWS, other, cameras=True)
    with pytest.raises(InputError, match=r"found no images of train, .* without train as test"):
        _check(tmp_path, *ROWS[3:])
    _check(tmp_path, *ROWS[:3], tested=False)
    with pytest.raises(InputError, match=f"{tmp_path}: found no images of query, gallery"):
        _check(tmp_path, *ROWS[:3])
