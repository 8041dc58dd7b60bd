"""Read the files of a run."""

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
from pipeline.options.joint import JOIN
from pipeline.options.run import RunOptions

if TYPE_CHECKING:
    import numpy as np

FILES = (
    *("weights.safetensors", "history.csv", "run.json"),
    *("features.npz", "metrics.json", "queries.csv", "open_set.json"),
)
"""The files that training and then evaluation write."""
HEADLINES = {"rank1": "Rank-1", "map": "mAP"}
"""The metrics that papers compare, with their titles."""


class Benchmark(NamedTuple):
    """The test set and training set of a result."""

    dataset: str
    """The test set."""
    trained_on: str

    @property
    def protocol(self) -> Benchmark:
        """The datasets' names in the configuration: market1501 for market1501:my_name."""
        return Benchmark(
            *(JOIN.join(part.partition(":")[0] for part in label.split(JOIN)) for label in self)
        )

    def __str__(self) -> str:
        if self.dataset == self.trained_on:
            return self.dataset
        return f"{self.dataset} (trained on {self.trained_on})"


_METRICS_KEYS = ("dataset", "trained_on", "features", "evaluation", "run")
_OPEN_SET_KEYS = ("feature", "threshold", "verification", "identification")


class Run:
    """A run, results/<dataset>/<variant>/seed<n>, whose files are read on demand.

    Readers raise InputError for a missing or damaged file, and LookupError for a file that is not
    in `files`: a stage reads only the files that its rule declares.
    """

    def __init__(self, folder: Path, files: Mapping[str, Path] | None = None) -> None:
        """Take all `FILES` in `folder`, or only `files`, paths by name in any folder."""
        self.folder = Path(folder)
        self.files = files or {name: self.folder / name for name in FILES}

    @classmethod
    def from_files(cls, paths: Sequence[Path]) -> list[Run]:
        """Group files by run, in the order of the first file of each.

        If the test set differs from the training set, the files of a run are in two folders that
        both end in <variant>/seed<n>.
        """
        runs: dict[tuple[str, ...], dict[str, Path]] = {}
        for path in paths:
            runs.setdefault(path.parent.parts[-2:], {})[path.name] = path
        return [cls([*files.values()][-1].parent, files) for files in runs.values()]

    def __str__(self) -> str:
        return str(self.folder)

    def path(self, name: str) -> Path:
        """Return the path of the file `name`."""
        if name not in self.files:
            raise LookupError(f"{self.folder / name}: not an input of this stage")
        checked_folder(self.files[name].parent, name)
        return self.files[name]

    @cached_property
    def record(self) -> dict[str, Any]:
        """The record of the training, run.json."""
        record: dict[str, Any] = self._json("run.json", "train")
        return record

    @property
    def options(self) -> RunOptions:
        """The options of the training."""
        return RunOptions.model_validate(self.record["options"])

    @property
    def name(self) -> str:
        """Variant and seed, for titles."""
        return f"{self.variant}, seed {self.seed}"

    @cached_property
    def scores(self) -> dict[str, Any]:
        """The result of the evaluation, metrics.json."""
        scores: dict[str, Any] = self._json("metrics.json", "score", *_METRICS_KEYS)
        return scores

    @cached_property
    def open_set(self) -> dict[str, Any]:
        """The open-set report, open_set.json (see `pipeline.evaluation.open_set`)."""
        report: dict[str, Any] = self._json("open_set.json", "open_set", *_OPEN_SET_KEYS)
        return report

    @property
    def variant(self) -> str:
        """Name of the variant."""
        return str(self._header["variant"])

    @property
    def seed(self) -> int:
        """Random seed of the training."""
        return int(self._header["seed"])

    @property
    def benchmark(self) -> Benchmark:
        """The test set and training set."""
        return Benchmark(self.scores["dataset"], self.scores["trained_on"])

    @property
    def rerank(self) -> RerankOptions | None:
        """The options of re-ranking; None without re-ranking."""
        return EvaluationOptions.model_validate(self.scores["evaluation"]).rerank

    @cached_property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Metrics in percent by feature; with prefix `whole_` those of whole-body queries."""
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
        """Name of the variant's test feature."""
        return self._queries[0]

    @property
    def queries(self) -> pd.DataFrame:
        """The rows of the test feature in queries.csv (see `read_queries`)."""
        return self._queries[1]

    def features(self) -> dict[str, np.ndarray]:
        """Return the arrays of features.npz (see `read_features`)."""
        return read_features(self.path("features.npz"))

    @property
    def _header(self) -> dict[str, Any]:
        """A file with variant and seed: metrics.json if available, else run.json."""
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
            f"{self.files[name]}: expected the output of the stage {stage}, found {error!r}: run "
            f"{stage} again"
        )


def _floats(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, float]:
    return {name: float(values[name]) for name in names}
