"""A tiny training set and a tiny network, both real, and runs on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.options.compute import ComputeOptions
from pipeline.options.run import RunOptions, TrainingNeeds
from pipeline.training.train import train
from tests.training.runs import CPU, EPOCHS, Runner, files, with_options
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
    """Train into a folder of tmp_path; return the folder."""

    def call(
        name: str,
        seed: int = 0,
        options: RunOptions = options,
        compute: ComputeOptions = CPU,
        shards: Path = shards,
        bank: Path | None = bank,
        needs: TrainingNeeds | None = None,
    ) -> Path:
        folder = tmp_path / name
        train(
            shards=shards,
            **files(folder),
            options=options,
            compute=compute,
            dataset="toy",
            variant="tiny",
            seed=seed,
            bank=bank,
            needs=needs,
        )
        return folder

    return call


@pytest.fixture(scope="session")
def long_options(options: RunOptions) -> RunOptions:
    """Enough steps to interrupt a run between them."""
    return with_options(options, "training", epochs=EPOCHS)


@pytest.fixture(scope="session")
def uninterrupted(
    tmp_path_factory: pytest.TempPathFactory, shards: Path, bank: Path, long_options: RunOptions
) -> Path:
    """An uninterrupted run of `long_options`."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    train(
        shards=shards,
        **files(folder),
        options=long_options,
        compute=CPU,
        dataset="toy",
        variant="tiny",
        seed=0,
        bank=bank,
    )
    return folder
