"""The benchmark of galleries prints recall, times and memory."""

from __future__ import annotations

import re

import numpy as np
import pytest

from benchmarks.search import SPREAD, People, main, recall


def test_recall_counts_the_exact_matches_found() -> None:
    exact = np.array([[1, 2], [3, 4]])
    assert recall(np.array([[2, 1], [3, -1]]), exact) == 0.75


def test_images_of_a_person_are_similar() -> None:
    features = People(1, 256).features(40)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-6)
    similarity = (features @ features.T)[~np.eye(40, dtype=bool)]
    assert similarity.mean() == pytest.approx(1 / (1 + SPREAD**2), abs=0.05)


def test_measurements_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--images", "3000", "--width", "32", "--queries", "50", "--hnsw"])
    text = capsys.readouterr().out
    assert text.startswith("3000 x 32 features, 50 queries")
    found = [float(value) for value in re.findall(r"recall@10 ([\d.]+)", text)]
    assert found == sorted(found[:4]) + sorted(found[4:])
    assert found[3] > 0.3
    assert found[6] > 0.9
    assert re.search(r"built in \d+ s; peak memory \d+ MiB before, \d+ MiB after", text)
