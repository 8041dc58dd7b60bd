"""Tables against the statistics module, and runs that they refuse."""

from __future__ import annotations

import csv
import re
import shutil
import statistics
import subprocess
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.evaluation.metrics import METRICS
from pipeline.files import read_json, sha256, write_json
from pipeline.options.evaluation import EvaluationOptions, RerankOptions
from pipeline.run import Benchmark, Run
from pipeline.tables.partial import tabulate_partial
from pipeline.tables.published import PUBLISHED, published_rows
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


def run_partial(folder: Path, paths: list[Path]) -> dict[str, Path]:
    """Tabulate some runs of three variants with three seeds."""
    outputs, variants = table_files(folder), ["baseline", "roa", "dpsm_fbm"]
    runs = [Run(path.parent) for path in paths]
    tabulate_partial(runs=runs, variants=variants, seeds=[0, 1, 2], **outputs)
    return outputs


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_means_and_deviations_equal_those_of_the_runs(tmp_path: Path) -> None:
    outputs = run_tabulate(tmp_path, write_all(tmp_path))
    rows, runs = rows_of(outputs["csv"]), rows_of(outputs["each"])
    assert list(rows[0])[:9] == [
        *("dataset", "trained_on", "variant", "feature", "seeds"),
        *("rank1_mean", "rank1_std", "map_mean", "map_std"),
    ]
    assert [(row["variant"], row["feature"]) for row in rows] == [
        *(("baseline", feature) for feature in BASELINE),
        *(("dpsm_fbm", feature) for feature in FULL),
    ]
    for row in rows:
        key = (row["variant"], row["feature"])
        own = [run for run in runs if (run["variant"], run["feature"]) == key]
        assert int(row["seeds"]) == len(own) == 3
        for name in METRICS:
            values = [float(run[name]) for run in own]
            assert float(row[f"{name}_mean"]) == pytest.approx(statistics.mean(values), abs=1e-4)
            assert float(row[f"{name}_std"]) == pytest.approx(statistics.stdev(values), abs=1e-4)
            assert statistics.stdev(values) > 0


def test_table_of_runs_has_the_hash_of_each_run(tmp_path: Path) -> None:
    paths = write_all(tmp_path)
    runs = rows_of(run_tabulate(tmp_path, paths)["each"])
    assert len(runs) == 3 * (len(BASELINE) + len(FULL))
    for run in runs:
        assert Path(run["metrics"]) in paths
        assert run["metrics_sha256"] == sha256(Path(run["metrics"]))
        assert run["run"] == f"hash-{run['variant']}-{run['seed']}"
        assert f"/{run['variant']}/seed{run['seed']}/" in run["metrics"]


def test_one_seed_has_no_deviation(tmp_path: Path) -> None:
    outputs = run_tabulate(tmp_path, write_all(tmp_path, seeds=1))
    assert all(row["map_std"] == "" for row in rows_of(outputs["csv"]))
    text = outputs["markdown"].read_text()
    assert "±" not in text
    assert "a single seed" in text


def test_markdown_and_latex_equal_the_csv(tmp_path: Path) -> None:
    outputs = run_tabulate(tmp_path, write_all(tmp_path))
    markdown, latex = outputs["markdown"].read_text(), outputs["latex"].read_text()
    assert "synthetic" in markdown.splitlines()[0]
    assert "over 3 seeds" in markdown.splitlines()[0]
    for row in rows_of(outputs["csv"]):
        cell = f"{float(row['map_mean']):.1f} ± {float(row['map_std']):.1f}"
        assert re.search(rf"\| {row['variant']} \| {row['feature']} \| .*{cell}", markdown)
        names = f"{row['variant']} & {row['feature']} & ".replace("_", r"\_")
        line = next(line for line in latex.splitlines() if line.startswith(names))
        assert cell.replace("±", r"$\pm$") in line
        assert line.count("&") == 7
    assert not re.search(r"(?<!\\)_", latex)
    assert latex.isascii()
    assert latex.count(r"\midrule") == 1


# LaTeX is not a Python package: without it, the test above still checks the file
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs LaTeX")
def test_latex_compiles(tmp_path: Path) -> None:
    outputs = run_tabulate(tmp_path, write_all(tmp_path, benchmark=OCCLUDED_DUKE))
    document = rf"""\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}
\input{{{outputs["latex"].name}}}\end{{document}}"""
    (tmp_path / "paper.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)


def test_published_numbers_stand_beside_ours_on_the_same_dataset(tmp_path: Path) -> None:
    outputs = run_tabulate(tmp_path, write_all(tmp_path, benchmark=MARKET))
    markdown, latex = outputs["markdown"].read_text(), outputs["latex"].read_text()
    published = "published, arXiv 2402.10435"
    assert f"| DPEFormer | {published} | 95.4 | 88.1 | – | – | – | – |" in markdown
    assert f"DPEFormer & {published} & 95.4 & 88.1 & -- & -- & -- & -- " in latex
    assert markdown.count(published) == latex.count(published) == len(PUBLISHED[MARKET])
    assert latex.count(r"\midrule") == 2
    assert "69.9" not in markdown  # Occluded-Duke's
    assert all(row["variant"] in ("baseline", "dpsm_fbm") for row in rows_of(outputs["csv"]))


@pytest.mark.parametrize("benchmark", [RENDERED, Benchmark("occluded_reid", "msmt17_train")])
def test_other_datasets_and_training_sets_have_no_published_rows(
    tmp_path: Path, benchmark: Benchmark
) -> None:
    outputs = run_tabulate(tmp_path, write_all(tmp_path, benchmark=benchmark))
    for name in ("csv", "markdown", "latex"):
        text = outputs[name].read_text()
        assert "published" not in text
        assert "DPEFormer" not in text


def test_order_of_the_inputs_does_not_change_the_bytes(tmp_path: Path) -> None:
    paths = write_all(tmp_path)
    before = {path: path.read_bytes() for path in run_tabulate(tmp_path, paths).values()}
    after = run_tabulate(tmp_path, paths[::-1]).values()
    assert before == {path: path.read_bytes() for path in after}


def test_every_row_has_training_and_test_dataset(tmp_path: Path) -> None:
    across = Benchmark("occluded_reid", trained_on="market1501")
    outputs = run_tabulate(tmp_path, write_all(tmp_path, benchmark=across))
    for row in (*rows_of(outputs["csv"]), *rows_of(outputs["each"])):
        assert (row["dataset"], row["trained_on"]) == across
    caption = outputs["markdown"].read_text().splitlines()[0]
    assert caption.startswith("occluded_reid (trained on market1501), in percent")
    assert "| DPEFormer | published" in outputs["markdown"].read_text()


def test_runs_of_several_datasets_are_refused(tmp_path: Path) -> None:
    paths = write_all(tmp_path) + write_all(tmp_path, benchmark=MARKET)
    with pytest.raises(InputError, match="one dataset, found market1501, synthetic"):
        run_tabulate(tmp_path, paths)


def test_a_run_given_twice_is_refused(tmp_path: Path) -> None:
    paths = write_all(tmp_path)
    copy = shutil.copytree(paths[0].parent, tmp_path / "copy")
    with pytest.raises(InputError, match=r"copy: .* found dpsm_fbm with seed 0"):
        run_tabulate(tmp_path, [*paths, copy / "metrics.json"])


def test_missing_seeds_and_variants_are_named(tmp_path: Path) -> None:
    paths = write_all(tmp_path)
    with pytest.raises(InputError, match="found no baseline seed 2:"):
        run_tabulate(tmp_path, paths[:-1])
    with pytest.raises(InputError, match="found no roa seed 0, roa seed 1, roa seed 2:"):
        run_tabulate(tmp_path, paths, ("baseline", "dpsm_fbm", "roa"))
    with pytest.raises(InputError, match=r"expected a variant of the table .*, found dpsm_fbm"):
        run_tabulate(tmp_path, paths, "baseline")
    assert not (tmp_path / "components.csv").exists()


def test_partial_table_names_the_missing_runs(tmp_path: Path) -> None:
    """Missing are dpsm_fbm seed 0, and all runs of roa."""
    outputs = run_partial(tmp_path, write_all(tmp_path)[1:])
    rows = [row for row in rows_of(outputs["csv"]) if row["feature"] in ("coarse", "")]
    found = [(row["variant"], row["seeds"], row["missing_seeds"]) for row in rows]
    assert found == [("baseline", "3", ""), ("roa", "0", "0 1 2"), ("dpsm_fbm", "2", "0")]
    assert rows[1]["map_mean"] == ""
    note = "over the finished seeds. Missing runs: roa seed 0, 1, 2; dpsm_fbm seed 0."
    assert note in outputs["markdown"].read_text()
    assert note.replace("_", r"\_") in outputs["latex"].read_text()
    assert "| roa |  | – |" in outputs["markdown"].read_text()


def test_partial_table_of_all_runs_has_the_numbers_of_the_table(tmp_path: Path) -> None:
    whole = write_all(tmp_path)
    whole += [write_metrics(tmp_path, "roa", seed, BASELINE) for seed in range(3)]
    rows = rows_of(run_tabulate(tmp_path, whole, ("baseline", "roa", "dpsm_fbm"))["csv"])
    outputs = run_partial(tmp_path, whole)
    assert rows_of(outputs["csv"]) == [row | {"missing_seeds": ""} for row in rows]
    assert "No run is missing." in outputs["markdown"].read_text()


def test_partial_table_needs_a_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found no finished run"):
        run_partial(tmp_path, [])


def test_seeds_of_a_variant_must_have_the_same_features(tmp_path: Path) -> None:
    paths = write_all(tmp_path)
    write_metrics(tmp_path, "baseline", 1, FULL)
    with pytest.raises(
        InputError, match=r"baseline/seed1: expected the features coarse.*found blended"
    ):
        run_tabulate(tmp_path, paths)


@pytest.mark.parametrize("text", ["", "[]", '{"dataset": "synthetic"}'])
def test_invalid_metrics_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(InputError, match=r"metrics\.json: expected the output of the stage score"):
        run_tabulate(tmp_path, [tmp_path / "metrics.json"])


def test_reranked_rows_follow_the_test_feature_and_the_caption_names_them(tmp_path: Path) -> None:
    full = ("blended", "blended_reranked", *FULL[1:])
    features = {"baseline": ("coarse", "coarse_reranked", *BASELINE[1:]), "dpsm_fbm": full}
    rerank = RerankOptions(k1=50, k2=15)
    paths = [
        write_metrics(tmp_path, name, 0, given, rerank=rerank) for name, given in features.items()
    ]
    outputs = run_tabulate(tmp_path, paths)
    found = [row["feature"] for row in rows_of(outputs["csv"]) if row["variant"] == "dpsm_fbm"]
    assert tuple(found) == full
    caption = "end in _reranked are k-reciprocally re-ranked (k1 50, k2 15, lambda 0.3)"
    assert caption.replace("_", r"\_") in outputs["latex"].read_text()
    assert caption in outputs["markdown"].read_text().splitlines()[0]


def test_runs_that_are_reranked_with_other_options_are_refused(tmp_path: Path) -> None:
    features = ("coarse", "coarse_reranked")
    paths = [
        write_metrics(tmp_path, "baseline", seed, features, rerank=RerankOptions(k1=k1))
        for seed, k1 in enumerate((20, 50))
    ]
    with pytest.raises(InputError, match=r"one evaluation\.rerank, found k1=20 .*; k1=50 "):
        run_tabulate(tmp_path, paths, ("baseline",))


def add_whole_queries(path: Path) -> Path:
    """Add whole-body queries with twice the numbers of a run, without re-ranked ones."""
    metrics = read_json(path)
    doubled = {
        feature: {name: 2 * value for name, value in values.items()}
        for feature, values in metrics["features"].items()
        if not feature.endswith("_reranked")
    }
    write_json(path, metrics | {"whole_query": {"features": doubled}})
    return path


@pytest.fixture
def whole(tmp_path: Path) -> list[Path]:
    """Two variants with whole-body queries over two seeds; one has a re-ranked row."""
    features = {"baseline": BASELINE, "dpsm_fbm": ("blended", "blended_reranked", *FULL[1:])}
    return [
        add_whole_queries(write_metrics(tmp_path, name, seed, given, MARKET))
        for name, given in features.items()
        for seed in (0, 1)
    ]


def test_csv_has_columns_of_whole_body_queries(tmp_path: Path, whole: list[Path]) -> None:
    outputs = run_tabulate(tmp_path, whole)
    names = [f"whole_{name}_{part}" for name in ("rank1", "map") for part in ("mean", "std")]
    rows = rows_of(outputs["csv"])
    assert list(rows[0])[-4:] == names
    for row in rows:
        found = [row[name] for name in names]
        if row["feature"] == "blended_reranked":
            assert found == [""] * 4
        else:
            doubled = [2 * float(row[name.removeprefix("whole_")]) for name in names]
            assert [float(value) for value in found] == pytest.approx(doubled, abs=1e-3)
    for run in rows_of(outputs["each"]):
        reranked = run["feature"] == "blended_reranked"
        assert run["whole_map"] == ("" if reranked else str(2 * float(run["map"])))


def test_markdown_and_latex_have_columns_of_whole_body_queries(
    tmp_path: Path, whole: list[Path]
) -> None:
    outputs = run_tabulate(tmp_path, whole)
    lines = outputs["markdown"].read_text().splitlines()
    assert "whole: queries without occlusion" in lines[0]
    assert lines[2].endswith("| whole Rank-1 | whole mAP |")
    assert {line.count("|") for line in lines[2:]} == {11}
    assert next(line for line in lines if "reranked |" in line).endswith("| – | – |")
    [row, *_] = rows_of(outputs["csv"])
    cell = f"{float(row['whole_map_mean']):.1f} ± {float(row['whole_map_std']):.1f}"
    assert lines[4].endswith(f"| {cell} |")
    latex = outputs["latex"].read_text().splitlines()
    assert {line.count("&") for line in latex if "&" in line} == {9}


def test_runs_with_and_without_whole_body_queries_are_refused(
    tmp_path: Path, whole: list[Path]
) -> None:
    write_metrics(tmp_path, "baseline", 1, BASELINE, MARKET)
    with pytest.raises(InputError, match="whole-body queries in all runs or in none"):
        run_tabulate(tmp_path, whole)


def test_published_rows_do_not_depend_on_the_name_of_the_results(tmp_path):
    """A folder named like a dataset is another dataset."""
    named = Benchmark("market1501:shop", "market1501:shop")
    assert published_rows(named) == PUBLISHED[MARKET]
    assert published_rows(Benchmark("folder:market", "folder:market")) == ()
    outputs = run_tabulate(tmp_path, write_all(tmp_path, benchmark=named))
    assert outputs["markdown"].read_text().startswith("market1501:shop, in percent")
    assert "| DPEFormer | published" in outputs["markdown"].read_text()
