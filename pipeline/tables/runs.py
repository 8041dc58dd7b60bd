"""Runs that a table compares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipeline.errors import InputError
from pipeline.evaluation.metrics import METRICS
from pipeline.run import HEADLINES, Run

TITLES = (
    HEADLINES
    | {"minp": "mINP"}
    | {name: name.replace("rank", "Rank-") for name in METRICS if name.startswith("rank")}
)
WHOLE_TITLES = {f"whole_{name}": f"whole {title}" for name, title in HEADLINES.items()}
"""Of whole-body queries, where the dataset has them."""


def collect_runs(runs: Sequence[Run], variants: Sequence[str]) -> list[Run]:
    """The runs of a table, by variant in the order given, then by seed.

    Raises InputError for runs of several benchmarks, with several options of re-ranking, or with
    and without whole-body queries, two runs of the same variant and seed, a run of a variant that
    is not asked for, and a variant that lacks a seed which another one has.
    """
    _check_alike(runs)
    known: dict[tuple[str, int], Run] = {}
    for run in runs:
        first = known.setdefault((run.variant, run.seed), run)
        if first is not run:
            raise InputError(
                f"{run.folder}: variant {run.variant} with seed {run.seed} is in {first.folder} "
                "too: give each run once"
            )
        if run.variant not in variants:
            raise InputError(
                f"{run.folder}: a run of variant {run.variant}, but the table compares "
                f"{', '.join(variants)}: leave it out or add the variant"
            )
    seeds = sorted({run.seed for run in runs})
    missing = [
        f"{name} seed {seed}" for name in variants for seed in seeds if (name, seed) not in known
    ]
    if missing:
        raise InputError(
            f"runs: each variant needs the seeds {', '.join(map(str, seeds))}, "
            f"missing are {', '.join(missing)}: train and score them"
        )
    return [known[name, seed] for name in variants for seed in seeds]


def _check_alike(runs: Sequence[Run]) -> None:
    """Raise InputError unless the runs were scored on one benchmark, in one way."""
    benchmarks = sorted({run.benchmark for run in runs})
    if len(benchmarks) != 1:
        found = ", ".join(map(str, benchmarks)) or "none"
        raise InputError(f"runs: a table compares runs on one dataset, found {found}")
    reranked = {str(run.rerank) for run in runs}
    if len(reranked) > 1:
        found = "; ".join(sorted(reranked))
        raise InputError(
            f"runs: expected runs with one evaluation.rerank, found {found}: score them again"
        )
    if len({len(titles_of(run.metrics.values())) for run in runs}) > 1:
        raise InputError(
            "runs: expected whole-body queries in all runs or in none, found both: score them again"
        )


def titles_of(features: Iterable[Mapping[str, float]]) -> dict[str, str]:
    """The metrics that a table of `features` shows, each with its title."""
    whole = any(WHOLE_TITLES.keys() <= values.keys() for values in features)
    return TITLES | WHOLE_TITLES if whole else TITLES
