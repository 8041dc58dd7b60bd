"""Stage: verdicts on published numbers, reproduced or not.

A published number is of one training, ours is the mean of n. If both methods are the same, the
difference has the standard deviation s * sqrt(1 + 1/n), with s over seeds. The tolerance is twice
that, but at least 1.0 point: papers report no deviation, and with the seed the mAP of a ViT on
these benchmarks varies by some tenths, Rank-1 by more (the standard error of 70 % is 1.0 over the
2,210 queries of Occluded-Duke). It is at most 2.0: a training that varies more reproduces nothing.
With one seed it is 1.0. Both Rank-1 and mAP must be within it, in either direction.

Runs that deviate from the paper's settings (network, recipe, precision, occluders, number of
images) are not judged; the table lists every deviation. The authors' released code does not start,
so no published number can be traced to it; workflow/report/fidelity.md compares it with ours.
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

MIN_TOLERANCE, MAX_TOLERANCE = 1.0, 2.0
"""In points of percent."""
PAPER = {
    "dpeformer": RunOptions(),
    "dpeformer_k24": RunOptions(model=ModelOptions(k_min=24)),
    "baseline": RunOptions(
        model=ModelOptions(selection="none"), augment=AugmentOptions(occlusion="none")
    ),
}
"""Options of each variant of `PUBLISHED`; the defaults are the authors' recipe."""
READINGS = {
    "dpeformer": "k_min 48, as the paper's text reads",
    "dpeformer_k24": "k_min 24, as in the released code",
}
"""How a variant reads the paper, where it disagrees with the released code."""
PAPER_PRECISION = "float32"
PAPER_WEIGHTS = "80ecf9dd"
"""Start of the SHA-256 of the paper's ViT-B."""
PAPER_BANK = {"limit": 100, "maximum": 9913}
"""Options of the paper's bank: number of images of SA-1B and of their masks."""
MIN_OCCLUDERS = 5000
"""Smallest `occluders.minimum` of a bank that counts as the paper's."""
NOT_JUDGED = "other network, recipe or data"
NOT_COMPARED = ("backbone.weights", "backbone.sha256", "augment.erasing.")
"""Prefixes of options that are not compared: weights are compared by their hash, and random erasing
deviates by `augment.occlusion` already."""
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
    """A published row and ours."""

    published: Published
    variant: str
    row: TableRow | None
    """The test feature of our variant over its seeds; None if it was not run."""
    verdict: str
    """reproduced, not reproduced, not run, or `NOT_JUDGED`."""
    remark: str
    """Remark on the published row; with `NOT_JUDGED`, also every deviation."""


def tolerance(std: float | None, seeds: int) -> float:
    """Return the tolerated difference from the mean over `seeds`, in points, to 0.1."""
    chance = 2 * (std or 0.0) * math.sqrt(1 + 1 / seeds)
    return round(min(max(chance, MIN_TOLERANCE), MAX_TOLERANCE), 1)


def difference(published: Published, row: TableRow, name: str) -> float:
    """Return ours minus the published number, in points of percent, to 0.1 as printed."""
    return round(round(row.mean[name], 1) - getattr(published, name), 1)


def _reproduced(published: Published, row: TableRow) -> bool:
    return all(
        abs(difference(published, row, name)) <= tolerance(row.std[name], row.seeds)
        for name in HEADLINES
    )


def _compared_options(options: RunOptions) -> dict[str, Any]:
    flat = flatten(options.model_dump(mode="json"))
    return {key: value for key, value in flat.items() if not key.startswith(NOT_COMPARED)}


def find_deviations(run: Run, occluders: OccluderOptions) -> list[str]:
    """List how a run of a variant in `PAPER` deviates from the paper's settings."""
    record, options = run.record, run.options
    found, expected = _compared_options(options), _compared_options(PAPER[run.variant])
    deviations = [
        f"{key} {found[key]} instead of {expected[key]}"
        for key in expected
        if found[key] != expected[key]
    ]
    if record["precision"] != PAPER_PRECISION:
        deviations.append(f"precision {record['precision']} instead of {PAPER_PRECISION}")
    if not (record["hashes"]["pretrained"] or "").startswith(PAPER_WEIGHTS):
        deviations.append("other pretrained weights")
    if options.augment.occlusion == "roa":
        deviations += _bank_deviations(occluders)
    return deviations + _image_deviations(run)


def _bank_deviations(occluders: OccluderOptions) -> list[str]:
    if occluders.masks != "sa1b":
        return ["occluders not from SA-1B"]
    found = {key: getattr(occluders, key) for key in PAPER_BANK}
    deviations = [
        f"occluders.{key} {found[key]} instead of {PAPER_BANK[key]}"
        for key in PAPER_BANK
        if found[key] != PAPER_BANK[key]
    ]
    if occluders.minimum < MIN_OCCLUDERS:
        deviations.append(f"occluders.minimum {occluders.minimum} instead of {MIN_OCCLUDERS}")
    return deviations


def _image_deviations(run: Run) -> list[str]:
    """Compare the numbers of images: with `checks: warn` ingest accepts others."""
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
        f"{found} {name} instead of {expected}"
        for name, found, expected in counted
        if found != expected
    ]


def _find_all_deviations(runs: Sequence[Run], occluders: OccluderOptions) -> dict[str, list[str]]:
    """List the deviations of all runs of each variant, by variant."""
    deviations: dict[str, list[str]] = {}
    for run in runs:
        if run.variant in PAPER:
            known = deviations.setdefault(run.variant, [])
            known += [text for text in find_deviations(run, occluders) if text not in known]
    return deviations


def judge(
    published: Published,
    variant: str,
    rows: Sequence[TableRow],
    deviations: Mapping[str, Sequence[str]],
) -> Verdict:
    """Judge a published row by our `variant`: `rows` of ours, its test feature first.

    `deviations` are those of each variant. A re-ranked row is never judged.
    """
    row = next((row for row in rows if row.variant == variant), None)
    found = [published.deviation] if published.deviation else deviations.get(variant, [])
    if row is None:
        verdict, found = "not run", []
    elif found:
        verdict = NOT_JUDGED
    else:
        verdict = "reproduced" if _reproduced(published, row) else "not reproduced"
    remarks = [text for text in (published.remark, *found) if text]
    return Verdict(published, variant, row, verdict, "; ".join(remarks))


def _csv_rows(benchmark: Benchmark, verdicts: Sequence[Verdict]) -> Iterator[Sequence[Any]]:
    for published, variant, row, verdict, remark in verdicts:
        cells: list[Any] = [row.feature, row.seeds] if row else ["", ""]
        for name in HEADLINES:
            cells += [str(getattr(published, name)), *_numbers(published, row, name)]
        head = (published.method, published.source, variant, READINGS.get(variant, ""))
        yield *benchmark, *head, *cells, verdict, remark


def _numbers(published: Published, row: TableRow | None, name: str) -> list[str]:
    """Format mean, standard deviation, difference and tolerance of a metric for CSV."""
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
    published, variant, row, text, remark = verdict
    reading = f" ({READINGS[variant]})" if variant in READINGS else ""
    cells = [f"{published.method}, {published.source}", f"`{variant}`{reading}"]
    for name in HEADLINES:
        cells += [f"{getattr(published, name):.1f}", *_cells(published, row, name)]
    return [*cells, text, remark]


def _cells(published: Published, row: TableRow | None, name: str) -> list[str]:
    """Format ours, and the difference with its tolerance, for readers."""
    if row is None:
        return ["–", "–"]
    std = row.std[name]
    deviation = "" if std is None else f" ± {std:.1f}"
    allowed = tolerance(std, row.seeds)
    return [
        f"{row.mean[name]:.1f}{deviation}",
        f"{difference(published, row, name):+.1f} (± {allowed:.1f})",
    ]


def _caption(benchmark: Benchmark, seeds: int) -> str:
    over = f"the mean of {seeds} seeds" if seeds > 1 else "a single seed"
    return (
        f"{benchmark}: published numbers beside ours ({over}), in percent; the difference is ours "
        "minus theirs. Reproduced: both Rank-1 and mAP differ by no more than the tolerance in "
        "brackets, twice the standard deviation of one training from such a mean, but at least "
        f"{MIN_TOLERANCE} and at most {MAX_TOLERANCE} points. A run that deviates from the "
        "authors' recipe is not judged, and the remark lists every deviation; re-ranked rows are "
        "never judged. "
        "DPEFormer's released code does not start, so no published number can be traced to "
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
    """Write a verdict on each published row that one of our variants should reproduce.

    `occluders` are the options of the bank of the `runs`. Raises InputError as `collect_runs` and
    `summarise_runs` do, and if nothing is published for their benchmark.
    """
    runs = collect_runs(runs, variants)
    rows, benchmark = summarise_runs(runs), runs[0].benchmark
    published = published_rows(benchmark)
    if not published:
        raise InputError(
            f"runs: found {benchmark}, expected a benchmark with published numbers: one of "
            f"{', '.join(map(str, PUBLISHED))}"
        )
    deviations = _find_all_deviations(runs, occluders)
    verdicts = [
        judge(item, variant, rows, deviations) for item in published for variant in item.variants
    ]
    write_csv(csv, pd.DataFrame(_csv_rows(benchmark, verdicts), columns=COLUMNS))
    caption, align = _caption(benchmark, rows[0].seeds), "ll" + "rrr" * len(HEADLINES) + "ll"
    write_markdown(markdown, caption, align, _header(), map(_markdown_cells, verdicts))
