"""The runs and metrics of a table."""

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
"""For datasets with whole-body queries."""


def collect_runs(runs: Sequence[Run], variants: Sequence[str]) -> list[Run]:
    """Sort the runs of a table as `sort_runs` does; InputError if a variant lacks a seed."""
    found = sort_runs(runs, variants)
    seeds = sorted({run.seed for run in found})
    missing = missing_runs(found, variants, seeds)
    if missing:
        raise InputError(
            f"runs: expected the seeds {', '.join(map(str, seeds))} of each variant, found no "
            f"{', '.join(f'{name} seed {seed}' for name, seed in missing)}: train and score them"
        )
    return found


def missing_runs(
    runs: Sequence[Run], variants: Sequence[str], seeds: Sequence[int]
) -> list[tuple[str, int]]:
    """Return variant and seed of each run that is not in `runs`."""
    known = {(run.variant, run.seed) for run in runs}
    return [(name, seed) for name in variants for seed in seeds if (name, seed) not in known]


def sort_runs(runs: Sequence[Run], variants: Sequence[str]) -> list[Run]:
    """Sort runs by variant, in the order given, then by seed.

    Raises InputError if benchmark, re-ranking or whole-body queries differ between runs, if a
    variant and seed occur twice, and for a variant that is not in `variants`.
    """
    _check_alike(runs)
    known: dict[tuple[str, int], Run] = {}
    for run in runs:
        first = known.setdefault((run.variant, run.seed), run)
        if first is not run:
            raise InputError(
                f"{run.folder}: expected one run of each variant and seed, found {run.variant} "
                f"with seed {run.seed} in {first.folder} too: give each run once"
            )
        if run.variant not in variants:
            raise InputError(
                f"{run.folder}: expected a variant of the table ({', '.join(variants)}), found "
                f"{run.variant}: leave the run out or add the variant"
            )
    return sorted(runs, key=lambda run: (variants.index(run.variant), run.seed))


def _check_alike(runs: Sequence[Run]) -> None:
    """Raise InputError unless the runs were scored on one benchmark with the same options."""
    benchmarks = sorted({run.benchmark for run in runs})
    if len(benchmarks) != 1:
        found = ", ".join(map(str, benchmarks)) or "none"
        raise InputError(f"runs: expected one dataset, found {found}: give runs on one of them")
    reranked = {str(run.rerank) for run in runs}
    if len(reranked) > 1:
        found = "; ".join(sorted(reranked))
        raise InputError(
            f"runs: expected runs with one evaluation.rerank, found {found}: score them again"
        )
    if len({len(metric_titles(run.metrics.values())) for run in runs}) > 1:
        raise InputError(
            "runs: expected whole-body queries in all runs or in none, found both: score them again"
        )


def metric_titles(features: Iterable[Mapping[str, float]]) -> dict[str, str]:
    """Return the metrics that a table of `features` shows, each with its title."""
    whole = any(WHOLE_TITLES.keys() <= values.keys() for values in features)
    return TITLES | WHOLE_TITLES if whole else TITLES
