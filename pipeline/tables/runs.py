"""Runs that a table compares, read from their metrics files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.data.names import WHOLE_QUERY
from pipeline.errors import InputError
from pipeline.evaluation.features import TABLE_FEATURES
from pipeline.evaluation.metrics import METRICS
from pipeline.options.evaluation import EvaluationOptions, RerankOptions
from pipeline.tables.published import Benchmark

HEADLINES = {"rank1": "Rank-1", "map": "mAP"}
"""What the field compares."""
TITLES = (
    HEADLINES
    | {"minp": "mINP"}
    | {name: name.replace("rank", "Rank-") for name in METRICS if name.startswith("rank")}
)
WHOLE_TITLES = {f"whole_{name}": f"whole {title}" for name, title in HEADLINES.items()}
"""Of whole-body queries, where the dataset has them."""


class Run(NamedTuple):
    """What a metrics file says of a run."""

    path: Path
    benchmark: Benchmark
    variant: str
    seed: int
    record: str
    """SHA-256 of the run's record."""
    features: dict[str, dict[str, float]]
    """Metrics in percent of each feature; of whole-body queries those of `WHOLE_TITLES`."""
    rerank: RerankOptions | None


def read_run(path: Path) -> Run:
    """The run of a metrics file; InputError when it is not one."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        benchmark = Benchmark(values["dataset"], values["trained_on"])
        head = (benchmark, values["variant"], values["seed"], values["run"])
        features = {
            feature: {name: float(values["features"][feature][name]) for name in METRICS}
            | _whole_metrics(values, feature)
            for feature in TABLE_FEATURES
            if feature in values["features"]
        }
        evaluation = EvaluationOptions.model_validate(values.get("evaluation", {}))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: expected the metrics of a run, found {error!r}: score the run again"
        ) from None
    return Run(path, *head, features, evaluation.rerank)


def _whole_metrics(values: dict[str, Any], feature: str) -> dict[str, float]:
    """Of whole-body queries: none without them, and none of a re-ranked feature."""
    found = values.get(WHOLE_QUERY, {"features": {}})["features"].get(feature)
    return {f"whole_{name}": float(found[name]) for name in HEADLINES} if found else {}


def collect_runs(paths: Sequence[Path], variants: Sequence[str]) -> list[Run]:
    """The runs of a table, by variant in the order given, then by seed.

    Raises InputError for runs of several benchmarks, with several options of re-ranking, or with
    and without whole-body queries, two runs of the same variant and seed, a run of a variant that
    is not asked for, and a variant that lacks a seed which another one has.
    """
    runs = [read_run(path) for path in paths]
    _check_alike(runs)
    known: dict[tuple[str, int], Run] = {}
    for run in runs:
        first = known.setdefault((run.variant, run.seed), run)
        if first is not run:
            raise InputError(
                f"{run.path}: variant {run.variant} with seed {run.seed} is in {first.path} too: "
                "give each run once"
            )
        if run.variant not in variants:
            raise InputError(
                f"{run.path}: a run of variant {run.variant}, but the table compares "
                f"{', '.join(variants)}: leave it out or add the variant"
            )
    seeds = sorted({run.seed for run in runs})
    missing = [
        f"{name} seed {seed}" for name in variants for seed in seeds if (name, seed) not in known
    ]
    if missing:
        raise InputError(
            f"metrics: each variant needs the seeds {', '.join(map(str, seeds))}, "
            f"missing are {', '.join(missing)}: train and score them"
        )
    return [known[name, seed] for name in variants for seed in seeds]


def _check_alike(runs: Sequence[Run]) -> None:
    """Raise InputError unless the runs were scored on one benchmark, in one way."""
    benchmarks = sorted({run.benchmark for run in runs})
    if len(benchmarks) != 1:
        found = ", ".join(map(str, benchmarks)) or "none"
        raise InputError(f"metrics: a table compares runs on one dataset, found {found}")
    reranked = {str(run.rerank) for run in runs}
    if len(reranked) > 1:
        found = "; ".join(sorted(reranked))
        raise InputError(
            f"metrics: expected runs with one evaluation.rerank, found {found}: score them again"
        )
    if len({len(titles_of(run.features.values())) for run in runs}) > 1:
        raise InputError(
            "metrics: expected whole-body queries in all runs or in none, found both: score them "
            "again"
        )


def titles_of(features: Iterable[Mapping[str, float]]) -> dict[str, str]:
    """The metrics that a table of `features` shows, each with its title."""
    whole = any(WHOLE_TITLES.keys() <= values.keys() for values in features)
    return TITLES | WHOLE_TITLES if whole else TITLES
