"""Metrics files of made-up runs, and their tables."""

from __future__ import annotations

import csv
from pathlib import Path

from pipeline.evaluation.metrics import METRICS
from pipeline.files import write_json
from pipeline.options.evaluation import EvaluationOptions, RerankOptions
from pipeline.run import Benchmark, Run
from pipeline.tables.tabulate import tabulate

RENDERED = Benchmark("synthetic", "synthetic")
MARKET = Benchmark("market1501", "market1501")
OCCLUDED_DUKE = Benchmark("occluded_duke", "occluded_duke")
BASELINE = ("coarse", "global", "coarse_global")
FULL = ("blended", "coarse", "global", "blended_global", "coarse_global")


def write_metrics(
    folder: Path,
    variant: str,
    seed: int,
    features: tuple[str, ...],
    benchmark: Benchmark = RENDERED,
    rerank: RerankOptions | None = None,
) -> Path:
    """Metrics of a run whose numbers differ by variant, seed, feature and metric."""
    path = folder / benchmark.dataset / variant / f"seed{seed}" / "metrics.json"
    values = {
        feature: {
            name: 40 + len(variant) + (seed * 7 + i * i) % 5 + 0.3 * k + 0.0123
            for k, name in enumerate(METRICS)
        }
        for i, feature in enumerate(features)
    }
    head = {"variant": variant, "seed": seed, "run": f"hash-{variant}-{seed}"}
    evaluation = EvaluationOptions(rerank=rerank).model_dump()
    head |= {"evaluation": evaluation, "features": values}
    write_json(path, benchmark._asdict() | head)
    return path


def write_all(folder: Path, seeds: int = 3, benchmark: Benchmark = RENDERED) -> list[Path]:
    return [
        write_metrics(folder, variant, seed, features, benchmark)
        for variant, features in (("dpsm_fbm", FULL), ("baseline", BASELINE))
        for seed in range(seeds)
    ]


def table_files(folder: Path) -> dict[str, Path]:
    return {
        "csv": folder / "components.csv",
        "markdown": folder / "components.md",
        "latex": folder / "components.tex",
        "each": folder / "components_runs.csv",
    }


def run_tabulate(
    folder: Path, paths: list[Path], variants: tuple[str, ...] = ("baseline", "dpsm_fbm")
) -> dict[str, Path]:
    outputs = table_files(folder)
    tabulate(runs=[Run(path.parent) for path in paths], variants=list(variants), **outputs)
    return outputs


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))
