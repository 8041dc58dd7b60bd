"""The open-set report against plain loops over all pairs and searches."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from pipeline.errors import InputError
from pipeline.evaluation import operating
from pipeline.evaluation.features import Labels
from pipeline.evaluation.metrics import l2_normalise
from pipeline.evaluation.open_set import open_set
from pipeline.evaluation.operating import RATES, Scores, operating_points, threshold_at
from pipeline.evaluation.pairs import embedded, score_pairs
from pipeline.files import sha256, write_json

PEOPLE, CAMERAS = 30, 3


def random_images(
    rng: np.random.Generator, count: int, low: int, high: int, noise: float = 0.8
) -> dict[str, np.ndarray]:
    """Features that resemble those of the same identity, and in part of the same camera."""
    identities = rng.integers(low, high, count)
    cameras = rng.integers(1, CAMERAS + 1, count)
    centres = np.random.default_rng(99).normal(size=(200, 8))
    features = centres[identities] + noise * rng.normal(size=(count, 8))
    features[:, 0] += cameras
    return {
        "keys": np.arange(count).astype(str),
        "identities": identities,
        "cameras": cameras,
        "global": features.astype(np.float32),
    }


def random_arrays(seed: int = 0, queries: int = 150, gallery: int = 400) -> dict[str, np.ndarray]:
    """Queries of people 1 to 30; a gallery with junk, distractors and people 31 to 40 besides."""
    rng = np.random.default_rng(seed)
    splits = {
        "query": random_images(rng, queries, 1, PEOPLE + 1),
        "gallery": random_images(rng, gallery, -1, PEOPLE + 11),
    }
    arrays = {f"{s}_{name}": each for s, part in splits.items() for name, each in part.items()}
    return arrays | {"shards": np.array("hash")}


def report_of(folder: Path, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    np.savez(folder / "features.npz", **arrays)
    write_json(folder / "run.json", {"dataset": "drawn", "variant": "baseline", "seed": 3})
    paths = (folder / name for name in ("features.npz", "run.json", "open_set.json"))
    open_set(*paths, "tested")
    return json.loads((folder / "open_set.json").read_text())


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    return random_arrays()


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.evaluation.blocks.BLOCK", 3000)


class Pairs:
    """All pairs of different cameras, one by one."""

    def __init__(self, arrays: dict[str, np.ndarray], cameras: tuple[int, int] | None = None):
        query, gallery = (l2_normalise(arrays[f"{s}_global"]) for s in ("query", "gallery"))
        self.positives: list[float] = []
        self.negatives: list[float] = []
        for i, q in enumerate(query):
            for j, g in enumerate(gallery):
                pair = (int(arrays["query_cameras"][i]), int(arrays["gallery_cameras"][j]))
                identity = arrays["gallery_identities"][j]
                if identity == -1 or pair[0] == pair[1] or cameras not in (None, pair):
                    continue
                same = identity == arrays["query_identities"][i]
                (self.positives if same else self.negatives).append(float(q @ g))

    def check(self, point: dict[str, Any]) -> None:
        """The threshold accepts at most the rate of the negatives, and a lower one more."""
        allowed = point["rate"] * len(self.negatives)
        if allowed < 1:
            assert point["threshold"] is None
            assert point["tpr"] is None
            return
        # float32 products of other shapes differ in the last bits
        above, below = point["threshold"] + 1e-6, point["threshold"] - 1e-6
        assert sum(value >= above for value in self.negatives) <= allowed
        assert sum(value >= below for value in self.negatives) > allowed
        true = [sum(value >= each for value in self.positives) for each in (above, below)]
        found = round(point["tpr"] * len(self.positives), 3)
        assert true[0] - 0.01 <= found <= true[1] + 0.01


def test_verification_equals_a_plain_loop(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    found, pairs = report_of(tmp_path, arrays)["verification"], Pairs(arrays)
    counts = (len(pairs.positives), len(pairs.negatives))
    assert (found["positives"], found["negatives"]) == counts
    assert [point["rate"] for point in found["points"]] == list(RATES)
    assert [point["threshold"] is None for point in found["points"]] == [False] * 3
    for point in found["points"]:
        pairs.check(point)
        assert point["low"] <= point["tpr"] <= point["high"]


def test_each_camera_pair_equals_a_plain_loop(
    arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    found = report_of(tmp_path, arrays)["verification"]["camera_pairs"]
    cameras = [(pair["query_camera"], pair["gallery_camera"]) for pair in found]
    assert cameras == [(q, g) for q in (1, 2, 3) for g in (1, 2, 3) if q != g]
    for pair, key in zip(found, cameras, strict=True):
        pairs = Pairs(arrays, key)
        counts = (len(pairs.positives), len(pairs.negatives))
        assert (pair["positives"], pair["negatives"]) == counts
        for point in pair["points"]:
            pairs.check(point)


def test_curve_and_equal_error_rate_equal_scikit_learns(
    arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    found, pairs = report_of(tmp_path, arrays)["verification"], Pairs(arrays)
    truth = [1] * len(pairs.positives) + [0] * len(pairs.negatives)
    fpr, tpr, _ = roc_curve(truth, pairs.positives + pairs.negatives, drop_intermediate=False)
    assert found["curve"]["fpr"][-1] == found["curve"]["tpr"][-1] == 1
    assert found["curve"]["fpr"][0] >= 1 / len(pairs.negatives)
    for rate, value in zip(found["curve"]["fpr"], found["curve"]["tpr"], strict=True):
        expected = tpr[np.searchsorted(fpr, rate * (1 + 1e-9), side="right") - 1]
        # beyond the tail, thresholds are the edges of the histogram
        assert value == pytest.approx(expected, abs=2e-3 if rate <= 0.03 else 0.02)
        assert value <= expected + 2e-3
    nearest = np.argmin(np.abs(1 - tpr - fpr))
    assert found["equal_error_rate"] == pytest.approx((1 - tpr + fpr)[nearest] / 2, abs=2e-3)


def best_match(
    features: np.ndarray, identity: int, camera: int, gallery: list[tuple[np.ndarray, int, int]]
) -> tuple[float, bool, bool]:
    """Return the largest similarity, whether it is right, and whether there is a match."""
    best, right, some = -9.0, False, False
    for other, name, place in gallery:
        if name == identity and place == camera:
            continue
        some = some or name == identity
        if float(features @ other) > best:
            best, right = float(features @ other), name == identity
    return best, right, some


def plain_searches(arrays: dict[str, np.ndarray]) -> tuple[list[float], list[float], int]:
    """Return the best similarities of known (-9: wrong) and of unknown people, and the gallery."""
    images = {
        split: list(
            zip(
                l2_normalise(arrays[f"{split}_global"]),
                arrays[f"{split}_identities"].tolist(),
                arrays[f"{split}_cameras"].tolist(),
                strict=True,
            )
        )
        for split in ("query", "gallery")
    }
    names = {identity for _, identity, _ in images["query"]}
    enrolled = [image for image in images["gallery"] if image[1] in names]
    strangers = [image for image in images["gallery"] if image[1] not in names | {-1}]
    known = [best_match(*image, enrolled) for image in images["query"]]
    unknown = [best_match(*image, enrolled)[0] for image in strangers]
    return [best if right else -9.0 for best, right, some in known if some], unknown, len(enrolled)


def test_identification_equals_a_plain_loop(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    report = report_of(tmp_path, arrays)
    found = report["identification"]
    known, unknown, gallery = plain_searches(arrays)
    assert len(unknown) >= 100
    assert (found["known"], found["unknown"], found["gallery"]) == (
        *(len(known), len(unknown)),
        gallery,
    )
    first, *others = found["points"]
    allowed = int(0.01 * len(unknown))
    assert first["threshold"] == pytest.approx(sorted(unknown)[-allowed - 1], abs=1e-6)
    rate = sum(value >= first["threshold"] for value in known) / len(known)
    assert first["tpr"] == pytest.approx(rate, abs=1e-6)
    assert first["low"] <= first["tpr"] <= first["high"]
    assert [point["threshold"] for point in others] == [None, None]  # too few unknown people
    for row, point in zip(
        found["at_verification_thresholds"], report["verification"]["points"], strict=True
    ):
        assert row["threshold"] == point["threshold"]
        for name, values in (("fpr", unknown), ("tpr", known)):
            accepted = sum(value >= row["threshold"] for value in values)
            assert row[name] == pytest.approx(accepted / len(values), abs=1e-6)


def test_without_unknown_people_there_is_no_identification(
    arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    arrays["gallery_identities"] = arrays["gallery_identities"].clip(1, PEOPLE)
    assert report_of(tmp_path, arrays)["identification"] is None


def test_stored_threshold_is_that_of_one_in_a_thousand(
    arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    report = report_of(tmp_path, arrays)
    assert report["threshold"] == report["verification"]["points"][1]["threshold"]
    assert report["threshold"] == float(np.float32(report["threshold"]))
    assert (report["feature"], report["false_positive_rate"]) == ("global", 1e-3)
    head = {key: report[key] for key in ("dataset", "trained_on", "variant", "seed", "run")}
    assert head == {
        **{"dataset": "tested", "trained_on": "drawn", "variant": "baseline", "seed": 3},
        "run": sha256(tmp_path / "run.json"),
    }
    few = random_arrays(queries=5, gallery=60)
    assert report_of(tmp_path, few)["threshold"] is None


def test_block_size_changes_nothing(
    arrays: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = [report_of(tmp_path, arrays)]
    monkeypatch.setattr("pipeline.evaluation.blocks.BLOCK", 500)
    reports.append(report_of(tmp_path, arrays))
    for report in reports:
        for point in report["verification"]["points"]:
            point["threshold"] = round(point["threshold"], 5)
    points = [report["verification"]["points"] for report in reports]
    assert points[0] == points[1]


def test_threshold_is_exact_with_ties() -> None:
    values = np.float32([0.9, 0.8, 0.8, 0.8, 0.5, 0.4])
    scores = Scores(values, np.zeros(6, int), np.array([200]), np.zeros(operating.BINS, int))
    for rate, accepted in ((0.005, 1), (0.01, 1), (0.015, 1), (0.02, 4), (0.025, 5)):
        threshold = threshold_at(scores, rate)
        assert threshold is not None
        assert (values >= threshold).sum() == accepted
        lower = np.nextafter(np.float32(threshold), np.float32(-1))
        assert (values >= lower).sum() > rate * 200
    assert threshold_at(scores, 0.004) is None


def interval_by_loop(
    positives: Scores, negatives: Scores, weights: np.ndarray, rate: float
) -> np.ndarray:
    rates = []
    for weight in weights:
        allowed, accepted, threshold = rate * (weight @ negatives.totals), 0.0, None
        for value, person in zip(negatives.values, negatives.people, strict=True):
            accepted += weight[person]
            if accepted > allowed:
                threshold = value
                break
        assert threshold is not None
        true = weight[positives.people[positives.values > threshold]].sum()
        rates.append(true / (weight @ positives.totals))
    return np.quantile(rates, [0.025, 0.975])


def test_interval_equals_a_loop_over_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operating, "CANDIDATES", 10**6)
    arrays = random_arrays(1)
    query, gallery = (
        embedded(
            arrays[f"{split}_global"],
            Labels(arrays[f"{split}_identities"], arrays[f"{split}_cameras"]),
        )
        for split in ("query", "gallery")
    )
    (positives, negatives), _ = score_pairs(query, gallery)
    weights = operating.sample_people(len(positives.totals))
    points = operating_points(positives, negatives, (weights, weights))
    for point in points[:2]:
        expected = interval_by_loop(positives, negatives, weights, point.rate)
        np.testing.assert_allclose((point.low, point.high), expected, atol=1e-9)


def test_interval_covers_the_rate_of_many_people() -> None:
    """Most 95 % intervals of small samples hold the rate of a large one."""
    many = random_arrays(7, 2000, 1000)
    truth = points_of(many)[0].tpr
    assert truth is not None
    held = 0
    for seed in range(12):
        sample = random_arrays(100 + seed, 150, 1000)
        point = points_of(sample)[0]
        assert point.low is not None
        assert point.high is not None
        held += point.low <= truth <= point.high
    assert held >= 9


def points_of(arrays: dict[str, np.ndarray]) -> list[operating.OperatingPoint]:
    splits = [
        embedded(
            arrays[f"{split}_global"],
            Labels(arrays[f"{split}_identities"], arrays[f"{split}_cameras"]),
        )
        for split in ("query", "gallery")
    ]
    (positives, negatives), _ = score_pairs(*splits)
    weights = operating.sample_people(len(positives.totals))
    return operating_points(positives, negatives, (weights, weights))


def test_images_without_a_camera_have_no_camera_pairs(
    arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    for split in ("query", "gallery"):
        cameras = np.arange(len(arrays[f"{split}_cameras"]))
        arrays[f"{split}_cameras"] = cameras + (1000 if split == "query" else 5000)
    found = report_of(tmp_path, arrays)["verification"]
    assert found["camera_pairs"] == []
    assert found["negatives"] == len(Pairs(arrays).negatives)


def test_same_inputs_give_the_same_bytes(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    report_of(tmp_path, arrays)
    before = (tmp_path / "open_set.json").read_bytes()
    report_of(tmp_path, arrays)
    assert (tmp_path / "open_set.json").read_bytes() == before


def test_error_names_the_file_and_writes_nothing(
    arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    for name, value, message in (
        ("query_global", arrays["query_global"] * np.nan, "finite"),
        ("query_identities", arrays["query_identities"] * 0, "found identity 0"),
        ("gallery_identities", arrays["gallery_identities"] * 0, "none of the 150 queries has"),
    ):
        with pytest.raises(InputError, match=rf"features\.npz: .*{message}"):
            report_of(tmp_path, arrays | {name: value})
    assert not (tmp_path / "open_set.json").exists()


def peak_bytes(queries: int, gallery: int) -> int:
    """Peak memory of scoring all pairs."""
    rng = np.random.default_rng(0)
    images = [random_images(rng, count, 1, 180) for count in (queries, gallery)]
    splits = [
        embedded(each["global"], Labels(each["identities"], each["cameras"])) for each in images
    ]
    tracemalloc.start()
    try:
        score_pairs(*splits)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_hold_all_similarities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.evaluation.blocks.BLOCK", 100_000)
    similarities = 4 * 600 * 2000
    assert peak_bytes(800, 2000) - peak_bytes(200, 2000) < similarities / 2
