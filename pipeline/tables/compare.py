"""Stage: the paired difference of each variant from a reference, with an interval and p.

The differences (variant minus reference, same query, same seed) are resampled over query identities
and, independently, over seeds: the pigeonhole bootstrap (A. B. Owen, "The pigeonhole bootstrap",
Annals of Applied Statistics 1(2), 2007). Identities are resampled, not queries: queries of one
person are correlated. Of S seeds S - 1 are resampled, so that the variance of few seeds is not
underestimated (J. N. K. Rao and C. F. J. Wu, "Resampling inference with complex survey data", JASA
83, 1988).

In simulations (tests/tables/test_compare.py: normal effects of seed, identity and both), the 95 %
interval of three seeds covers the true difference in 98 % of cases if seeds have no effect, in 96 %
if they add as much error as the queries, in 89 % if they add 2.7 times as much. Sign-flip tests
are no substitute: if seeds add as much error as the queries, flipping identities finds a difference
that does not exist (p < 0.05) in 14 % of cases, flipping each identity and seed in 28 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.errors import InputError
from pipeline.run import Benchmark, Run
from pipeline.tables.tabulate import write_csv, write_markdown

RESAMPLES, SEED = 10_000, 0
"""Number of resamples, and their random seed."""
LEVEL = 0.95
INTERVAL = f"{LEVEL * 100:.0f} % interval"


class Answers(NamedTuple):
    """Per-query results of the runs of a variant by its test feature."""

    benchmark: Benchmark
    variant: str
    feature: str
    seeds: tuple[int, ...]
    queries: tuple[str, ...]
    """The Q queries that have a match, sorted."""
    identities: np.ndarray
    """(Q,) int64."""
    map: np.ndarray
    """(S, Q) float64: average precision of each seed and query, in percent."""
    rank1: np.ndarray
    """(S, Q) float64: 100 where the first of the ranking is a match, else 0."""


class Weights(NamedTuple):
    """Weights of the seeds and identities in each of B resamples."""

    seeds: np.ndarray
    """(B, S) float64; a row sums to 1."""
    identities: np.ndarray
    """(B, I) float64: how often each is sampled."""


class Difference(NamedTuple):
    """A variant minus the reference, in points of percent."""

    map: float
    low: float
    high: float
    """The interval of the difference in mAP at `LEVEL`."""
    p: float
    """Two-sided; below 1 - `LEVEL` if the interval excludes 0."""
    rank1: float
    agreeing: int
    """Number of seeds whose difference in mAP has the sign of the mean."""


def _matched(run: Run) -> pd.DataFrame:
    """Return the rows of the queries that have a match, sorted."""
    rows = run.queries
    return rows[rows["ap"].notna()].sort_index()


def read_answers(runs: Sequence[Run]) -> dict[str, Answers]:
    """Read the results of each variant from its scored `runs`.

    Raises InputError for runs that cannot be paired, because queries or seeds differ.
    """
    if not runs:
        raise InputError("runs: expected at least one run, found none")
    first = _matched(runs[0])
    for run in runs:
        rows = _matched(run)
        if rows["identity"].to_dict() != first["identity"].to_dict():
            raise InputError(
                f"{run.folder}: expected the {len(first)} queries of {runs[0].folder}, found "
                f"others ({len(rows)}): score both runs on the same shards"
            )
    by_seed = sorted(runs, key=lambda run: run.seed)
    names = dict.fromkeys(run.variant for run in by_seed)
    answers = {name: _stack([run for run in by_seed if run.variant == name]) for name in names}
    _check_seeds(answers)
    return answers


def _stack(runs: Sequence[Run]) -> Answers:
    """Stack the runs of one variant, by increasing seed."""
    first, tables = runs[0], [_matched(run) for run in runs]
    for run in runs:
        if run.test_feature != first.test_feature:
            raise InputError(
                f"{run.folder}: expected the test feature {first.test_feature} of {first.folder}, "
                f"found {run.test_feature}: score both again"
            )
    return Answers(
        first.benchmark,
        first.variant,
        first.test_feature,
        tuple(run.seed for run in runs),
        tuple(tables[0].index),
        tables[0]["identity"].to_numpy(),
        np.stack([100 * rows["ap"].to_numpy() for rows in tables]),
        np.stack([100.0 * (rows["first_match"] == 1).to_numpy() for rows in tables]),
    )


def _check_seeds(answers: dict[str, Answers]) -> None:
    first = next(iter(answers.values()))
    for other in answers.values():
        if other.seeds != first.seeds:
            raise InputError(
                f"runs: expected the seeds {first.seeds} of {first.variant} for {other.variant}, "
                f"found {other.seeds}: give runs of the same seeds for each variant"
            )


def sample_weights(seeds: int, identities: int) -> Weights:
    """Resample seeds and, independently, identities `RESAMPLES` times; always the same ones."""
    generator = np.random.default_rng(SEED)
    size = max(seeds - 1, 1)
    return Weights(
        generator.multinomial(size, np.full(seeds, 1 / seeds), RESAMPLES) / size,
        generator.multinomial(identities, np.full(identities, 1 / identities), RESAMPLES) * 1.0,
    )


def resample(differences: np.ndarray, identities: np.ndarray, weights: Weights) -> np.ndarray:
    """Compute the mean difference in each resample, (B,) float64.

    `differences` (S, Q) are per seed and query, `identities` (Q,) are those of the queries.
    """
    groups = np.unique(identities, return_inverse=True)[1]
    sums = np.stack([np.bincount(groups, row) for row in differences])  # (S, I)
    queries = weights.identities @ np.bincount(groups)  # (B,)
    return np.einsum("bs,bs->b", weights.seeds, weights.identities @ sums.T) / queries


def compare_answers(variant: Answers, reference: Answers, weights: Weights) -> Difference:
    """Compute the difference of two variants of `read_answers`, with its interval and p.

    p is the smallest level whose percentile interval excludes 0; at least 2 / (`RESAMPLES` + 1).
    """
    differences = variant.map - reference.map  # (S, Q)
    mean = differences.mean()
    means = resample(differences, variant.identities, weights)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    beyond = min((means <= 0).sum(), (means >= 0).sum())
    return Difference(
        float(mean),
        float(low),
        float(high),
        min(1.0, float(2 * (beyond + 1) / (len(means) + 1))),
        float((variant.rank1 - reference.rank1).mean()),
        int((np.sign(differences.mean(axis=1)) == np.sign(mean)).sum()),
    )


def _caption(reference: Answers) -> str:
    seeds, people = len(reference.seeds), len(np.unique(reference.identities))
    covered = (
        "over query identities and seeds; if seeds vary more than queries, an interval of "
        f"{seeds} seeds is too narrow"
        if seeds > 1
        else "over query identities, but not over seeds: there is only one"
    )
    return (
        f"{reference.benchmark}: each variant minus `{reference.variant}` (tested by "
        f"{reference.feature}), in points of percent, on the same {len(reference.queries)} queries "
        f"of {people} identities and the same {seeds} {'seeds' if seeds > 1 else 'seed'}. The "
        f"{INTERVAL} and p (paired bootstrap) quantify variation {covered}. They do not cover "
        "other datasets or recipes, and p is not corrected for the number of comparisons."
    )


def _cells(variant: Answers, found: Difference) -> list[str]:
    p = "< 0.001" if found.p < 0.001 else f"{found.p:.3f}"
    return [
        *(variant.variant, variant.feature, f"{found.map:+.1f}"),
        *(f"{found.low:+.1f} to {found.high:+.1f}", p, f"{found.rank1:+.1f}"),
        f"{found.agreeing} of {len(variant.seeds)}",
    ]


def _csv_row(variant: Answers, reference: Answers, found: Difference) -> dict[str, Any]:
    return {
        **variant.benchmark._asdict(),
        "variant": variant.variant,
        "feature": variant.feature,
        "reference": reference.variant,
        "reference_feature": reference.feature,
        "map_delta": found.map,
        "map_low": found.low,
        "map_high": found.high,
        "p": found.p,
        "rank1_delta": found.rank1,
        "seeds_agreeing": found.agreeing,
        "seeds": len(variant.seeds),
        "queries": len(variant.queries),
    }


def compare(
    runs: list[Run], csv: Path, markdown: Path, variants: list[str], reference: str
) -> None:
    """Compare each of `variants`, in the order of the table, with `reference`.

    Both tables have a row for each variant but the reference. Raises InputError as `read_answers`
    does, and if a variant has no runs.
    """
    answers = read_answers(runs)
    missing = [name for name in (*variants, reference) if name not in answers]
    if missing:
        raise InputError(
            f"runs: expected runs of {', '.join(variants)}, found none of {', '.join(missing)}: "
            "train and score them"
        )
    base = answers[reference]
    weights = sample_weights(len(base.seeds), len(np.unique(base.identities)))
    others = [answers[name] for name in variants if name != reference]
    found = [(other, compare_answers(other, base, weights)) for other in others]
    header = ["variant", "feature", "ΔmAP", INTERVAL, "p", "ΔRank-1", "seeds agree"]
    write_markdown(markdown, _caption(base), "llrrrrr", header, [_cells(*row) for row in found])
    write_csv(csv, pd.DataFrame([_csv_row(other, base, result) for other, result in found]))
