"""From a features file to metrics and the table of queries."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from pipeline.errors import InputError
from pipeline.evaluation.features import labels_of, read_features, release
from pipeline.evaluation.metrics import Ranking, l2_normalise, rank_similarities, summarise
from pipeline.evaluation.queries import read_queries
from pipeline.evaluation.score import rank_features, score
from pipeline.evaluation.similarity import cosine_similarity
from pipeline.files import sha256, write_json
from pipeline.options.evaluation import EvaluationOptions, RerankOptions
from tests.cases import long_but

PLAIN = EvaluationOptions()
HIGH = np.float32([[1, 0], [0, 1], [1, 1]])


def write_run(folder: Path, **changes: np.ndarray) -> tuple[Path, Path]:
    """Three queries (the last has no match) and four gallery images; returns features and record.

    `coarse` finds the first query's match first and the second one's third; `global` the reverse.
    """
    arrays = {
        "query_keys": np.array(["q1", "q2", "q3"]),
        "query_identities": np.array([1, 2, 3]),
        "query_cameras": np.array([1, 1, 1]),
        "query_coarse": np.float32([[10, 0], [10, 0.1], [0, 1]]),
        "query_global": np.float32([[0, 1], [0, 1], [0, 1]]),
        "gallery_keys": np.array(["a", "b", "c", "d"]),
        "gallery_identities": np.array([1, 0, 2, 3]),
        "gallery_cameras": np.array([2, 2, 2, 1]),
        "gallery_coarse": np.float32([[1, 0], [1, 0.2], [0, 1], [-1, 0]]),
        "gallery_global": np.float32([[0, -1], [1, 0.5], [0, 1], [1, 0]]),
        "shards": np.array("hash of the shards"),
    } | changes
    np.savez(folder / "features.npz", **arrays)
    head = {"dataset": "synthetic", "variant": "baseline", "seed": 3}
    write_json(folder / "run.json", head)
    return folder / "features.npz", folder / "run.json"


def run_score(
    folder: Path, options: EvaluationOptions = PLAIN, **changes: np.ndarray
) -> tuple[dict, list[dict[str, str]]]:
    features, record = write_run(folder, **changes)
    score(features, record, folder / "metrics.json", folder / "queries.csv", "occluded", options)
    with open(folder / "queries.csv", newline="") as file:
        return json.loads((folder / "metrics.json").read_text()), list(csv.DictReader(file))


def test_metrics_of_each_feature(tmp_path: Path) -> None:
    metrics, _ = run_score(tmp_path)
    assert (metrics["dataset"], metrics["trained_on"]) == ("occluded", "synthetic")
    assert (metrics["variant"], metrics["seed"]) == ("baseline", 3)
    assert metrics["run"] == sha256(tmp_path / "run.json")
    assert (metrics["queries"], metrics["gallery"]) == (3, 4)
    assert set(metrics["features"]) == {"coarse", "global", "coarse_global"}
    # coarse: ranks 1 and 3; global: q1 finds c, b, d, a and q2 finds c first
    coarse, global_ = metrics["features"]["coarse"], metrics["features"]["global"]
    assert (coarse["rank1"], coarse["map"]) == (50, round(100 * (1 + 1 / 3) / 2, 4))
    assert (global_["rank1"], global_["map"]) == (50, round(100 * (1 / 4 + 1) / 2, 4))


def test_concatenated_feature_weighs_both_parts_equally(tmp_path: Path) -> None:
    """q1's coarse feature is ten times longer than its global one, and must not dominate."""
    _, rows = run_score(tmp_path)
    joined = next(row for row in rows if (row["feature"], row["query"]) == ("coarse_global", "q1"))
    # cosines: a (1 - 1) / 2, b (0.98 + 0.45) / 2, c (0 + 1) / 2, d (-1 + 0) / 2
    assert json.loads(joined["top10"]) == ["b", "c", "a", "d"]


def test_blended_has_its_own_rows(tmp_path: Path) -> None:
    blended = {
        "query_blended": HIGH,
        "gallery_blended": np.float32([[1, 0], [1, 1], [0, 1], [1, 1]]),
    }
    metrics, rows = run_score(tmp_path, **blended)
    assert set(metrics["features"]) == {
        *("blended", "coarse", "global"),
        *("blended_global", "coarse_global"),
    }
    assert metrics["features"]["blended"]["rank1"] == 100
    assert len(rows) == 5 * 3


def test_query_without_a_match_is_reported(tmp_path: Path) -> None:
    metrics, rows = run_score(tmp_path)
    assert metrics["queries_without_match"] == ["q3"]
    unmatched = [row for row in rows if row["query"] == "q3"]
    assert len(unmatched) == 3
    for row in unmatched:
        assert (row["matches"], row["ap"], row["inp"], row["first_match"]) == ("0", "", "", "")
        assert "d" not in json.loads(row["top10"])  # its only image is of its own camera


def test_query_rows_average_to_the_metrics(tmp_path: Path) -> None:
    metrics, rows = run_score(tmp_path)
    for feature, values in metrics["features"].items():
        own = [float(row["ap"]) for row in rows if row["feature"] == feature and row["ap"]]
        assert 100 * np.mean(own) == pytest.approx(values["map"], abs=1e-3)


def test_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    run_score(tmp_path)
    before = [(tmp_path / name).read_bytes() for name in ("metrics.json", "queries.csv")]
    run_score(tmp_path)
    assert before == [(tmp_path / name).read_bytes() for name in ("metrics.json", "queries.csv")]


def test_error_names_the_file_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"features\.npz: none of the 3 queries"):
        run_score(tmp_path, gallery_cameras=np.array([1, 1, 1, 1]))
    assert not (tmp_path / "metrics.json").exists()
    assert not (tmp_path / "queries.csv").exists()


def test_a_damaged_features_file_is_named(tmp_path: Path) -> None:
    features, record = write_run(tmp_path)
    whole = features.read_bytes()
    outputs = (tmp_path / "metrics.json", tmp_path / "queries.csv")
    for data in (
        b"",
        b"nothing",
        whole[: len(whole) // 2],
        whole[:100] + b"\xff" * 60 + whole[160:],
    ):
        features.write_bytes(data)
        with pytest.raises(InputError, match=r"features\.npz: not a features file .*embed the run"):
            score(features, record, *outputs, "occluded", PLAIN)
    np.savez(features, query_keys=np.array(["q"]))
    with pytest.raises(InputError, match=r"features\.npz: .*found no query_identities.*embed"):
        score(features, record, *outputs, "occluded", PLAIN)
    features.unlink()
    with pytest.raises(InputError, match=r"features\.npz: no such file"):
        score(features, record, *outputs, "occluded", PLAIN)


def test_features_are_mapped_and_changes_stay_in_memory(tmp_path: Path) -> None:
    features, _ = write_run(tmp_path)
    before = features.read_bytes()
    arrays = read_features(features)
    with np.load(features) as file:
        for name, expected in file.items():
            np.testing.assert_array_equal(arrays[name], expected)
            assert isinstance(arrays[name], np.memmap) == name.endswith(("coarse", "global"))
    arrays["query_coarse"][:] = 7
    assert features.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query_coarse": np.float32([[np.nan, 1], [1, 1], [1, 1]])}, "finite"),
        ({"gallery_global": np.float32([[1, 1], [np.inf, 1], [1, 1], [1, 1]])}, "finite"),
        ({"query_identities": np.array([1, 0, 2])}, "identity 0"),
        ({"query_identities": np.array([1, -1, 2])}, "identity -1"),
    ],
)
def test_nonfinite_features_and_junk_queries_are_refused(
    tmp_path: Path, changes: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        run_score(tmp_path, **changes)


def random_arrays(dtype: str) -> dict[str, np.ndarray]:
    """300 queries and 700 gallery images, each of these twice, of 40 people."""
    rng = np.random.default_rng(5)
    labels, centres = rng.integers(1, 41, 350), rng.normal(size=(41, 96))
    owners = {"query": rng.integers(1, 41, 300), "gallery": np.concatenate([labels, labels])}
    arrays = {}
    for split, camera in (("query", 1), ("gallery", 2)):
        arrays[f"{split}_identities"] = owners[split]
        arrays[f"{split}_cameras"] = np.full(len(owners[split]), camera)
        for name in ("coarse", "blended", "global"):
            values = centres[owners[split]] + rng.normal(0, 2, (len(owners[split]), 96))
            if split == "gallery":
                values[350:] = values[:350]
            arrays[f"{split}_{name}"] = values.astype(dtype)
    return arrays


def assert_same(found: dict[str, Ranking], expected: dict[str, Ranking]) -> None:
    assert list(found) == list(expected)
    for name, ranking in expected.items():
        for column, wanted in zip(found[name], ranking, strict=True):
            np.testing.assert_array_equal(column, wanted)


@pytest.mark.parametrize("small", [0, 2**32])  # products by torch; by numpy in float64
@pytest.mark.parametrize("block", long_but([700 * 75, 700 * 100, 700 * 299], 700 * 75))
def test_rankings_do_not_depend_on_blocks_and_threads(
    block: int, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies of an image tie, wherever they are in a block."""
    monkeypatch.setattr("pipeline.evaluation.similarity.SMALL", small)
    arrays, options = random_arrays("float32"), EvaluationOptions(rerank=RerankOptions())
    threads = torch.get_num_threads()
    expected = rank_features(arrays, options)
    monkeypatch.setattr("pipeline.evaluation.blocks.BLOCK", block)
    other = 3 - min(threads, 2)
    try:
        torch.set_num_threads(other)
        with threadpool_limits(other):
            found = rank_features(arrays, options)
    finally:
        torch.set_num_threads(threads)
    assert_same(found, expected)
    for ranking in expected.values():
        np.testing.assert_array_equal(ranking.top[:, 1::2], ranking.top[:, ::2] + 350)


def test_a_small_gallery_needs_no_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it is an error
    run_score(tmp_path)
    monkeypatch.setattr("pipeline.evaluation.similarity.SMALL", 0)
    with pytest.raises(ImportError):
        run_score(tmp_path)


def test_blocks_of_a_large_product_are_not_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise one ranking could mix both ways to multiply, and copies would differ."""
    monkeypatch.setattr("pipeline.evaluation.blocks.BLOCK", 75 * 700)
    monkeypatch.setattr("pipeline.evaluation.similarity.SMALL", 75 * 700 * 96)
    monkeypatch.setattr("pipeline.evaluation.similarity.multiply_in_float64", None)
    rank_features(random_arrays("float32"), PLAIN)


def test_joined_features_rank_as_joined_unit_vectors() -> None:
    """The mean of two cosines differs from the cosine of the joined vectors by rounding only."""
    arrays = random_arrays("float32")
    found = rank_features(arrays, PLAIN)["coarse_global"]
    joined = [
        np.concatenate(
            [l2_normalise(arrays[f"{split}_{part}"]) for part in ("coarse", "global")], 1
        )
        for split in ("query", "gallery")
    ]
    expected = cosine_similarity(*joined)
    mean = [
        cosine_similarity(arrays[f"query_{x}"], arrays[f"gallery_{x}"])
        for x in ("coarse", "global")
    ]
    np.testing.assert_allclose((mean[0] + mean[1]) / 2, expected, rtol=0, atol=5e-7)
    labels = [labels_of(arrays, split) for split in ("query", "gallery")]
    ranking = rank_similarities(expected, *labels)
    np.testing.assert_allclose(found.average_precision, ranking.average_precision, atol=1e-3)
    np.testing.assert_array_equal(found.first_match, ranking.first_match)


def test_float16_changes_map_by_rounding_only() -> None:
    whole, half = (rank_features(random_arrays(dtype), PLAIN) for dtype in ("float32", "float16"))
    for name, ranking in whole.items():
        assert summarise(half[name])["map"] == pytest.approx(summarise(ranking)["map"], abs=0.05)


def whole_queries() -> dict[str, np.ndarray]:
    """Two queries of people 1 and 2 that find their match first, and one without a match."""
    return {
        "whole_query_keys": np.array(["w1", "w2", "w3"]),
        "whole_query_identities": np.array([1, 2, 3]),
        "whole_query_cameras": np.array([3, 3, 1]),
        "whole_query_coarse": np.float32([[1, 0], [0, 1], [0, 1]]),
        "whole_query_global": np.float32([[0, -1], [0, 1], [0, 1]]),
    }


@pytest.mark.parametrize("rerank", [None, RerankOptions(k1=2, k2=2)])
def test_whole_body_queries_are_scored_separately(
    tmp_path: Path, rerank: RerankOptions | None
) -> None:
    """They change no other result and are not re-ranked."""
    options = EvaluationOptions(rerank=rerank)
    without, rows = run_score(tmp_path, options)
    metrics, found = run_score(tmp_path, options, **whole_queries())
    whole = metrics.pop("whole_query")
    assert "whole_query" not in without
    assert found == rows
    for name in without.keys() - {"hashes"}:
        assert metrics[name] == without[name]
    assert (whole["queries"], whole["queries_without_match"]) == (3, ["w3"])
    assert set(whole["features"]) == {"coarse", "global", "coarse_global"}
    assert whole["features"]["coarse"]["map"] == 100
    assert whole["features"].keys() < metrics["features"].keys() or rerank is None


def test_whole_body_queries_have_the_same_metrics_as_queries(tmp_path: Path) -> None:
    features, _ = write_run(tmp_path)
    arrays = read_features(features)
    again = {k.replace("query", "whole_query"): v for k, v in arrays.items() if "query" in k}
    metrics, _ = run_score(tmp_path, **again)
    assert metrics["whole_query"] == {name: metrics[name] for name in metrics["whole_query"]}


def test_reranked_rows_follow_the_test_feature(tmp_path: Path) -> None:
    plain, rows = run_score(tmp_path)
    asked = EvaluationOptions(rerank=RerankOptions(k1=2, k2=2))
    metrics, found = run_score(tmp_path, asked)
    names = list(dict.fromkeys(row["feature"] for row in found))
    assert names == ["coarse", "coarse_reranked", "global", "coarse_global"]
    assert [row for row in found if row["feature"] != "coarse_reranked"] == rows
    assert metrics["features"].pop("coarse_reranked")["map"] > 0
    assert metrics["features"] == plain["features"]
    assert metrics["evaluation"]["rerank"] == {"k1": 2, "k2": 2, "lambda_value": 0.3}
    feature, _ = read_queries(tmp_path / "queries.csv")
    assert feature == "coarse"  # figures and paired tables use the plain ranking


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory in /proc")
def test_released_features_take_no_memory_and_are_read_again(tmp_path: Path) -> None:
    written = np.arange(2**24, dtype=np.float32).reshape(-1, 64)  # 64 MiB
    file, _ = write_run(tmp_path, gallery_global=written)
    features = read_features(file)["gallery_global"]
    features.sum()
    read = mapped_mib()
    release(features)
    assert mapped_mib() < read - 60
    np.testing.assert_array_equal(features, written)


def mapped_mib() -> float:
    """Return the memory of this process that shows files."""
    found = re.search(r"RssFile:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
