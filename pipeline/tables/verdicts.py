"""Were published numbers reproduced? Ours beside each published row that a variant stands for.

A published number is that of one training, ours the mean of n. Were both the same method, they
would differ by chance: with s the deviation over seeds, by s * sqrt(1 + 1/n) in one standard
deviation. So twice that is tolerated, but never less than 1.0 point: papers do not say their own
deviation, and the mAP of a ViT on these benchmarks moves by some tenths with the seed, Rank-1 by
more (the standard error of a share of 70 % is 1.0 over the 2,210 queries of Occluded-Duke). And
never more than 2.0: a training that scatters so widely reproduces nothing. Both Rank-1 and mAP must
be within it, in either direction. With one seed the tolerance is 1.0.

Only runs with the network, the recipe, the precision and the occluders of the authors are judged,
trained and tested on as many images as the published ones. Of others the table lists every
deviation. The authors' released code does not start, so that no published number can be traced to
it; workflow/report/fidelity.md compares it with ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from pipeline.data.datasets import DATASETS
from pipeline.errors import InputError
from pipeline.options.base import flatten
from pipeline.options.occluders import OccluderOptions
from pipeline.options.run import AugmentOptions, ModelOptions, RunOptions
from pipeline.run import HEADLINES, Benchmark, Run
from pipeline.tables.published import PUBLISHED, Published, published_rows
from pipeline.tables.runs import collect_runs
from pipeline.tables.tabulate import TableRow, summarise_runs, write_csv, write_markdown

LEAST, MOST = 1.0, 2.0
"""Bounds of the tolerance, in points of percent."""
PAPER = {
    "dpeformer": RunOptions(),
    "dpeformer_k24": RunOptions(model=ModelOptions(k_min=24)),
    "baseline": RunOptions(
        model=ModelOptions(selection="none"), augment=AugmentOptions(occlusion="none")
    ),
}
"""What each variant of `PUBLISHED` must have been: the defaults are the authors' recipe."""
READINGS = {
    "dpeformer": "k_min 48, as the paper's text reads",
    "dpeformer_k24": "k_min 24, as in the released code",
}
"""How a variant reads the paper where paper and released code disagree."""
PRECISION = "float32"
"""What the authors train in."""
PRETRAINED = "80ecf9dd"
"""The SHA-256 of the paper's ViT-B begins so."""
BANK = {"limit": 100, "maximum": 9913}
"""Options of the paper's bank: of so many images of SA-1B, so many masks."""
FEWEST = 5000
"""The least `occluders.minimum` that lets a bank pass for the paper's."""
OTHER = "other network, recipe or data"
IGNORED = ("backbone.weights", "backbone.sha256", "augment.erasing.")
"""How options begin that are not compared: pretrained weights are judged by their hash, and a run
with random erasing deviates by `augment.occlusion` already."""
COLUMNS = (
    *("dataset", "trained_on", "method", "source", "variant", "reading", "feature", "seeds"),
    *(
        f"{name}_{part}"
        for name in HEADLINES
        for part in ("published", "mean", "std", "difference", "tolerance")
    ),
    *("verdict", "remark"),
)


class Verdict(NamedTuple):
    """A published row, and ours beside it."""

    published: Published
    variant: str
    row: TableRow | None
    """The test feature of our variant over its seeds; None where it was not run."""
    verdict: str
    """reproduced, not reproduced, not run, or `OTHER`."""
    remark: str
    """What is to be known of the published row; with `OTHER`, every deviation as well."""


def tolerance(std: float | None, seeds: int) -> float:
    """By how many points a published number may differ from the mean over `seeds`: to 0.1."""
    chance = 2 * (std or 0.0) * math.sqrt(1 + 1 / seeds)
    return round(min(max(chance, LEAST), MOST), 1)


def difference(published: Published, row: TableRow, name: str) -> float:
    """Ours minus the published one, in points of percent, as both are printed: to 0.1."""
    return round(round(row.mean[name], 1) - getattr(published, name), 1)


def _reproduced(published: Published, row: TableRow) -> bool:
    return all(
        abs(difference(published, row, name)) <= tolerance(row.std[name], row.seeds)
        for name in HEADLINES
    )


def _flat(options: RunOptions) -> dict[str, Any]:
    flat = flatten(options.model_dump(mode="json"))
    return {key: value for key, value in flat.items() if not key.startswith(IGNORED)}


def deviations(run: Run, occluders: OccluderOptions) -> list[str]:
    """In what a run of a variant in `PAPER` is not the paper's."""
    record, options = run.record, run.options
    found, wanted = _flat(options), _flat(PAPER[run.variant])
    other = [
        f"{key} {found[key]} instead of {wanted[key]}"
        for key in wanted
        if found[key] != wanted[key]
    ]
    if record["precision"] != PRECISION:
        other.append(f"precision {record['precision']} instead of {PRECISION}")
    if not (record["hashes"]["pretrained"] or "").startswith(PRETRAINED):
        other.append("other pretrained weights")
    if options.augment.occlusion == "roa":
        other += _other_bank(occluders)
    return other + _other_images(run)


def _other_bank(occluders: OccluderOptions) -> list[str]:
    if occluders.masks != "sa1b":
        return ["occluders not from SA-1B"]
    found = {key: getattr(occluders, key) for key in BANK}
    other = [
        f"occluders.{key} {found[key]} instead of {BANK[key]}"
        for key in BANK
        if found[key] != BANK[key]
    ]
    if occluders.minimum < FEWEST:
        other.append(f"occluders.minimum {occluders.minimum} instead of {FEWEST}")
    return other


def _other_images(run: Run) -> list[str]:
    """Ingest lets other counts than the published ones pass with `checks: warn`."""
    protocol = run.benchmark.protocol
    record, metrics, tested = run.record, run.scores, DATASETS[protocol.dataset].counts
    train = DATASETS[protocol.trained_on].counts["train"]
    counted = (
        ("training identities", record["identities"], train.identities),
        ("training images", record["train_images"], train.images),
        ("queries", metrics["queries"], tested["query"].images),
        ("gallery images", metrics["gallery"], tested["gallery"].images),
    )
    return [
        f"{found} {name} instead of {wanted}" for name, found, wanted in counted if found != wanted
    ]


def _deviations_of_all(runs: Sequence[Run], occluders: OccluderOptions) -> dict[str, list[str]]:
    """By variant, in what any of its runs is not the paper's."""
    other: dict[str, list[str]] = {}
    for run in runs:
        if run.variant in PAPER:
            known = other.setdefault(run.variant, [])
            known += [said for said in deviations(run, occluders) if said not in known]
    return other


def judge(
    published: Published,
    variant: str,
    rows: Sequence[TableRow],
    other: Mapping[str, Sequence[str]],
) -> Verdict:
    """The verdict on a published row by our `variant`: `rows` of ours, its test feature first.

    `other` lists the deviations of each variant. A re-ranked row is never judged.
    """
    row = next((row for row in rows if row.variant == variant), None)
    deviating = [published.otherwise] if published.otherwise else other.get(variant, [])
    if row is None:
        verdict, deviating = "not run", []
    elif deviating:
        verdict = OTHER
    else:
        verdict = "reproduced" if _reproduced(published, row) else "not reproduced"
    remarks = [said for said in (published.remark, *deviating) if said]
    return Verdict(published, variant, row, verdict, "; ".join(remarks))


def _csv_rows(benchmark: Benchmark, verdicts: Sequence[Verdict]) -> Iterator[Sequence[Any]]:
    for published, variant, row, verdict, remark in verdicts:
        cells: list[Any] = [row.feature, row.seeds] if row else ["", ""]
        for name in HEADLINES:
            cells += [str(getattr(published, name)), *_numbers(published, row, name)]
        head = (published.method, published.source, variant, READINGS.get(variant, ""))
        yield *benchmark, *head, *cells, verdict, remark


def _numbers(published: Published, row: TableRow | None, name: str) -> list[str]:
    """Mean, deviation, difference and tolerance of a metric, for the CSV."""
    if row is None:
        return [""] * 4
    std = row.std[name]
    return [
        f"{row.mean[name]:.4f}",
        "" if std is None else f"{std:.4f}",
        f"{difference(published, row, name):.1f}",
        f"{tolerance(std, row.seeds):.2f}",
    ]


def _markdown_cells(verdict: Verdict) -> list[str]:
    published, variant, row, said, remark = verdict
    reading = f" ({READINGS[variant]})" if variant in READINGS else ""
    cells = [f"{published.method}, {published.source}", f"`{variant}`{reading}"]
    for name in HEADLINES:
        cells += [f"{getattr(published, name):.1f}", *_cells(published, row, name)]
    return [*cells, said, remark]


def _cells(published: Published, row: TableRow | None, name: str) -> list[str]:
    """Ours, and the difference with its tolerance, as people read them."""
    if row is None:
        return ["–", "–"]
    std = row.std[name]
    spread = "" if std is None else f" ± {std:.1f}"
    allowed = tolerance(std, row.seeds)
    return [
        f"{row.mean[name]:.1f}{spread}",
        f"{difference(published, row, name):+.1f} (± {allowed:.1f})",
    ]


def _caption(benchmark: Benchmark, seeds: int) -> str:
    over = f"the mean of {seeds} seeds" if seeds > 1 else "a single seed"
    return (
        f"{benchmark}: published numbers beside ours ({over}), in percent; the difference is ours "
        "minus theirs. Reproduced: both Rank-1 and mAP differ by no more than the tolerance in "
        "brackets, twice the standard deviation of one training from such a mean, but at least "
        f"{LEAST} and at most {MOST} points. A run that deviates from the authors' recipe is not "
        "judged, and the remark lists every deviation; re-ranked rows are never judged. "
        "DPEFormer's released code does not start, so that no published number can be traced to "
        "it: workflow/report/fidelity.md compares it with ours, point by point."
    )


def _header() -> list[str]:
    numbers = [
        cell
        for title in HEADLINES.values()
        for cell in (f"{title} published", f"{title} ours", "difference")
    ]
    return ["published", "ours", *numbers, "verdict", "remark"]


def give_verdicts(
    runs: list[Run], csv: Path, markdown: Path, variants: list[str], occluders: OccluderOptions
) -> None:
    """Write a verdict on each published row that a variant of ours stands for.

    `occluders` says what the bank of the `runs` was cut out of. Raises InputError as `collect_runs`
    and `summarise_runs` do, and when nothing is published for their benchmark.
    """
    runs = collect_runs(runs, variants)
    rows, benchmark = summarise_runs(runs), runs[0].benchmark
    published = published_rows(benchmark)
    if not published:
        raise InputError(
            f"runs: nothing is published for {benchmark}, only for "
            f"{', '.join(map(str, PUBLISHED))}: there is nothing to hold the runs against"
        )
    other = _deviations_of_all(runs, occluders)
    verdicts = [
        judge(item, variant, rows, other) for item in published for variant in item.variants
    ]
    write_csv(csv, pd.DataFrame(_csv_rows(benchmark, verdicts), columns=COLUMNS))
    caption, align = _caption(benchmark, rows[0].seeds), "ll" + "rrr" * len(HEADLINES) + "ll"
    write_markdown(markdown, caption, align, _header(), map(_markdown_cells, verdicts))
