"""A run: its folder, and everything that is read from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from pipeline.data.names import WHOLE_QUERY
from pipeline.errors import InputError
from pipeline.evaluation.features import TABLE_FEATURES, read_features
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.queries import read_queries
from pipeline.files import checked_folder, read_json
from pipeline.options.evaluation import EvaluationOptions, RerankOptions
from pipeline.options.run import RunOptions

if TYPE_CHECKING:
    import numpy as np

FILES = (
    *("weights.safetensors", "history.csv", "run.json"),
    *("features.npz", "metrics.json", "queries.csv"),
)
"""What training, and then evaluation, write."""
HEADLINES = {"rank1": "Rank-1", "map": "mAP"}
"""What the field compares."""


class Benchmark(NamedTuple):
    """What a number is of; a protocol with numbers of its own has a name of its own."""

    dataset: str
    """Whose query and gallery are tested on."""
    trained_on: str

    @property
    def protocol(self) -> Benchmark:
        """The datasets as the configuration calls them: market1501 for market1501:my_name."""
        return Benchmark(*(label.partition(":")[0] for label in self))

    def __str__(self) -> str:
        if self.dataset == self.trained_on:
            return self.dataset
        return f"{self.dataset} (trained on {self.trained_on})"


_SCORED = ("dataset", "trained_on", "features", "evaluation", "run")


class Run:
    """A run, results/<dataset>/<variant>/seed<n>; its files are read when asked for.

    Every reader raises InputError for a file that is missing or damaged, and LookupError for one
    that is not in `files`: a stage reads no more of a run than its rule declares.
    """

    def __init__(self, folder: Path, files: Mapping[str, Path] | None = None) -> None:
        """Of all `FILES` in a folder, or of some `files` by name, wherever they are."""
        self.folder = Path(folder)
        self.files = files or {name: self.folder / name for name in FILES}

    @classmethod
    def from_files(cls, paths: Sequence[Path]) -> list[Run]:
        """The runs that the files are of, in the order of the first file of each.

        Where a run is tested on another dataset, what evaluation writes is in another folder, but
        <variant>/seed<n> is the same.
        """
        runs: dict[tuple[str, ...], dict[str, Path]] = {}
        for path in paths:
            runs.setdefault(path.parent.parts[-2:], {})[path.name] = path
        return [cls([*files.values()][-1].parent, files) for files in runs.values()]

    def __str__(self) -> str:
        return str(self.folder)

    def path(self, name: str) -> Path:
        """Where the file `name` is."""
        if name not in self.files:
            raise LookupError(f"{self.folder / name}: not an input of this stage")
        checked_folder(self.files[name].parent, name)
        return self.files[name]

    @cached_property
    def record(self) -> dict[str, Any]:
        """What training recorded, run.json."""
        record: dict[str, Any] = self._json("run.json", "train")
        return record

    @property
    def options(self) -> RunOptions:
        """What it was trained with."""
        return RunOptions.model_validate(self.record["options"])

    @property
    def name(self) -> str:
        """Variant and seed, for a title."""
        return f"{self.variant}, seed {self.seed}"

    @cached_property
    def scores(self) -> dict[str, Any]:
        """What evaluation measured, metrics.json."""
        scores: dict[str, Any] = self._json("metrics.json", "score", *_SCORED)
        return scores

    @property
    def variant(self) -> str:
        """Name of the variant."""
        return str(self._facts["variant"])

    @property
    def seed(self) -> int:
        """Seed of the training."""
        return int(self._facts["seed"])

    @property
    def benchmark(self) -> Benchmark:
        """What it was trained and tested on."""
        return Benchmark(self.scores["dataset"], self.scores["trained_on"])

    @property
    def rerank(self) -> RerankOptions | None:
        """How its re-ranked rows were made; None without them."""
        return EvaluationOptions.model_validate(self.scores["evaluation"]).rerank

    @cached_property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Metrics in percent of each feature; `whole_` ones where there are whole-body queries."""
        found = self.scores["features"]
        whole = self.scores.get(WHOLE_QUERY, {"features": {}})["features"]
        metrics = {name: found[name] for name in TABLE_FEATURES if name in found}
        try:
            plain = {feature: _floats(values, METRICS) for feature, values in metrics.items()}
            extra = {feature: _floats(values, HEADLINES) for feature, values in whole.items()}
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged("metrics.json", error, "score") from None
        for feature, values in extra.items():
            plain[feature] |= {f"whole_{name}": value for name, value in values.items()}
        return plain

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row per epoch, history.csv."""
        return pd.read_csv(self.path("history.csv"))

    @cached_property
    def _queries(self) -> tuple[str, pd.DataFrame]:
        return read_queries(self.path("queries.csv"))

    @property
    def test_feature(self) -> str:
        """The feature that the variant is tested by."""
        return self._queries[0]

    @property
    def queries(self) -> pd.DataFrame:
        """The rows of the test feature in queries.csv, see `read_queries`."""
        return self._queries[1]

    def features(self, name: str | None = None) -> dict[str, np.ndarray]:
        """The arrays of features.npz, see `read_features`."""
        return read_features(self.path("features.npz"), name)

    @property
    def _facts(self) -> dict[str, Any]:
        """One of the two files that name variant and seed."""
        metrics = self.files.get("metrics.json")
        return self.scores if metrics and metrics.is_file() else self.record

    def _json(self, name: str, stage: str, *keys: str) -> Any:
        path = self.path(name)
        try:
            values = read_json(path)
            missing = [key for key in ("variant", "seed", *keys) if key not in values]
        except (ValueError, TypeError) as error:
            raise self._damaged(name, error, stage) from None
        if missing:
            raise self._damaged(name, KeyError(*missing), stage)
        return values

    def _damaged(self, name: str, error: Exception, stage: str) -> InputError:
        return InputError(
            f"{self.files[name]}: expected what the stage {stage} writes of a run, found "
            f"{error!r}: {stage} the run again"
        )


def _floats(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, float]:
    return {name: float(values[name]) for name in names}
