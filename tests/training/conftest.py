"""A tiny training set and a tiny network, both real, and runs on them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.options.run import RunOptions
from tests.training.runs import (
    EPOCHS,
    FINISHED_FILES,
    Runner,
    result,
    stopped,
    train_run,
    with_options,
)
from tests.training.tiny_data import make_bank, make_cut_outs, make_shards, tiny_options


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shards(tmp_path_factory.mktemp("shards"))


@pytest.fixture(scope="session")
def cut_outs() -> list[np.ndarray]:
    return make_cut_outs()


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bank(tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="session")
def options() -> RunOptions:
    return tiny_options()


@pytest.fixture
def run(tmp_path: Path, shards: Path, bank: Path, options: RunOptions) -> Runner:
    """Train into a folder of tmp_path, `options` unless others are given; return the folder."""

    def call(name: str, **given: Any) -> Path:
        usual = {"shards": shards, "bank": bank, "options": options}
        return train_run(tmp_path / name, **usual | given)

    return call


@pytest.fixture(scope="session")
def plain(
    tmp_path_factory: pytest.TempPathFactory, shards: Path, bank: Path, options: RunOptions
) -> Path:
    """A run of `options`."""
    return train_run(tmp_path_factory.mktemp("plain"), shards, bank, options)


@pytest.fixture(scope="session")
def long_options(options: RunOptions) -> RunOptions:
    """Enough steps to interrupt a run between them."""
    return with_options(options, "training", epochs=EPOCHS)


@pytest.fixture(scope="session")
def uninterrupted(
    tmp_path_factory: pytest.TempPathFactory, shards: Path, bank: Path, long_options: RunOptions
) -> Path:
    """An uninterrupted run of `long_options`."""
    return train_run(tmp_path_factory.mktemp("uninterrupted"), shards, bank, long_options)


@pytest.fixture(scope="session")
def interrupted_once(
    tmp_path_factory: pytest.TempPathFactory, shards: Path, bank: Path, long_options: RunOptions
) -> Path:
    folder = tmp_path_factory.mktemp("interrupted")
    stopped(lambda _: train_run(folder, shards, bank, long_options), folder)
    return folder


@pytest.fixture
def interrupted(interrupted_once: Path, tmp_path: Path) -> Path:
    """A copy, to damage and to resume, of a run of `long_options` that SIGTERM stopped."""
    return Path(shutil.copytree(interrupted_once, tmp_path / "interrupted"))


@pytest.fixture
def resume(
    run: Runner, interrupted: Path, long_options: RunOptions, uninterrupted: Path
) -> Callable[[], None]:
    """Resume `interrupted`; it must end as the uninterrupted run."""

    def call() -> None:
        run(interrupted.name, options=long_options)
        assert result(interrupted) == result(uninterrupted)
        assert sorted(path.name for path in interrupted.iterdir()) == FINISHED_FILES

    return call
