"""The command dpeformer: embed and search write files; invalid input is one line and status 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.commands import main
from pipeline.use.embedder import Embedder
from pipeline.use.gallery import read_gallery
from tests.use.conftest import NAMES, draw, write_report


def call(*words: object) -> None:
    main([*map(str, words), "--device", "cpu"])


def test_embed_writes_features_and_adds_to_them(
    trained: Path,
    pictures: Path,
    model: Embedder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "g.npz"
    call("embed", pictures, "--model", trained, "--output", output)
    with np.load(output) as arrays:
        assert arrays["names"].tolist() == [str(pictures / name) for name in NAMES]
        np.testing.assert_array_equal(arrays["features"], model.embed(pictures))
        assert str(arrays["network"]) == model.sha256
    more = draw(tmp_path / "more.png", 7)
    call("embed", more, pictures, "--model", trained, "--output", output)
    assert len(read_gallery(output)) == 5
    assert capsys.readouterr().out == (
        f"{output}: 4 pictures, 4 of them new\n{output}: 5 pictures, 1 of them new\n"
    )


def test_search_writes_ranked_matches(
    trained: Path, pictures: Path, model: Embedder, tmp_path: Path
) -> None:
    output = tmp_path / "ranks.csv"
    words = ("search", "--query", pictures / "sub", "--gallery", pictures, "--model", trained)
    call(*words, "--top", 2, "--output", output)
    table = pd.read_csv(output)
    assert list(table) == ["query", "rank", "match", "similarity"]
    expected = model.search(pictures / "sub", pictures, top=2).table()
    pd.testing.assert_frame_equal(table, expected, atol=5e-5)
    assert table["rank"].tolist() == [1, 2, 1, 2]


def test_search_accepts_from_the_threshold_of_the_run_and_writes_the_page(
    run: Path, pictures: Path, model: Embedder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    similarities = model.search(pictures, pictures).table()["similarity"]
    threshold = float(similarities.median())
    write_report(run, threshold)
    output, page = tmp_path / "ranks.csv", tmp_path / "page.html"
    words = ("search", "--query", pictures, "--gallery", pictures, "--model", run)
    call(*words, "--output", output, "--page", page)
    assert pd.read_csv(output)["accepted"].tolist() == (similarities >= threshold).tolist()
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert f"accepted: a similarity of at least {threshold:.4f}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"--model": "none"}, "none: no such run or file"),
        ({"--query": "none"}, "none: no such file or folder"),
        ({"--gallery": "none.npz"}, "none.npz: no such file"),
        ({"--gallery": "empty"}, "empty: expected a folder with images"),
    ],
)
def test_invalid_input_is_one_line(
    trained: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    options = {"--query": pictures, "--gallery": pictures, "--model": trained, "--output": "o.csv"}
    words = [word for pair in (options | changed).items() for word in pair]
    with pytest.raises(SystemExit) as exit_:
        call("search", *words)
    assert str(exit_.value.code).startswith(f"error: {message}")
    assert "\n" not in str(exit_.value.code)
    assert not Path("o.csv").exists()


def test_output_without_npz_is_refused(trained: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"g\.csv: expected the name of a \.npz file"):
        call("embed", pictures, "--model", trained, "--output", tmp_path / "g.csv")


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    for command in ("embed", "search", "export", "trace", "agree", "relocate"):
        assert f"    {command} " in text


def test_top_must_be_positive(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["search", "--top", "0"])
    assert "--top: expected a whole number above 0, found 0" in capsys.readouterr().err
