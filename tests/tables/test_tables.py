"""Tables against the statistics module, and runs that they refuse."""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.evaluation.metrics import METRICS
from pipeline.files import sha256
from pipeline.options.evaluation import RerankOptions
from pipeline.run import Benchmark
from pipeline.tables.published import PUBLISHED, published_rows
from tests.tables.runs import (
    BASELINE,
    FULL,
    MARKET,
    OCCLUDED_DUKE,
    RENDERED,
    rows_of,
    run_tabulate,
    write_all,
    write_metrics,
)


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


def test_published_rows_do_not_depend_on_the_name_of_the_results(tmp_path):
    """A folder named like a dataset is another dataset."""
    named = Benchmark("market1501:shop", "market1501:shop")
    assert published_rows(named) == PUBLISHED[MARKET]
    assert published_rows(Benchmark("folder:market", "folder:market")) == ()
    outputs = run_tabulate(tmp_path, write_all(tmp_path, benchmark=named))
    assert outputs["markdown"].read_text().startswith("market1501:shop, in percent")
    assert "| DPEFormer | published" in outputs["markdown"].read_text()
