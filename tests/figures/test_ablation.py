"""The picture of a table: which option it is drawn over, and that its points are the table's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from PIL import Image

from pipeline.errors import InputError
from pipeline.evaluation.metrics import METRICS
from pipeline.figures.ablation import (
    BESIDE,
    LOOKS,
    ablation_figure,
    draw_ablation,
    find_axis,
)
from pipeline.options.run import ModelOptions, RunOptions
from pipeline.run import Run
from pipeline.tables.runs import collect_runs

K_MIN = {"k_min_1": 1, "k_min_24": 24, "dpeformer": 48, "k_min_128": 128}
FULL = ("blended", "coarse", "global")


def write_run(
    folder: Path, variant: str, seed: int, features: tuple[str, ...], **model: Any
) -> Path:
    """A run with the mAP 50 + length of the variant's name + 10 x place of the feature + seed²."""
    path = folder / variant / f"seed{seed}" / "metrics.json"
    path.parent.mkdir(parents=True)
    values = {
        feature: dict.fromkeys(METRICS, 50.0 + len(variant) + 10 * place + seed * seed)
        for place, feature in enumerate(features)
    }
    head = {
        "dataset": "drawn",
        "trained_on": "drawn",
        "variant": variant,
        "seed": seed,
        "run": "hash",
    }
    path.write_text(json.dumps(head | {"features": values, "evaluation": {}}))
    options = RunOptions(model=ModelOptions(**model)).model_dump(mode="json")
    (path.parent / "run.json").write_text(
        json.dumps({"variant": variant, "seed": seed, "options": options})
    )
    return path


def write_k_min(folder: Path, seeds: int = 3) -> list[Path]:
    """A baseline and variants that differ in k_min alone; the curve's values are not in order."""
    paths = [
        write_run(folder, "baseline", seed, ("coarse", "global"), selection="none")
        for seed in range(seeds)
    ]
    for variant, k_min in reversed(K_MIN.items()):
        paths += [write_run(folder, variant, seed, FULL, k_min=k_min) for seed in range(seeds)]
    return paths


def axes_of(paths: list[Path]) -> Axes:
    variants = list(dict.fromkeys(path.parent.parent.name for path in paths))
    return ablation_figure(collect_runs([Run(path.parent) for path in paths], variants)).axes[0]


def bars(axes: Axes) -> list[np.ndarray]:
    """The points of each series with error bars, (M, 2)."""
    containers = [item for item in axes.containers if isinstance(item, ErrorbarContainer)]
    return [item.lines[0].get_xydata() for item in containers]


def options_of(**variants: dict[str, Any]) -> dict[str, dict[str, Any]]:
    base = {"model.k_min": 48, "model.parts": 4, "model.order": "score", "model.on": False}
    return {name: base | patch for name, patch in variants.items()}


def test_the_axis_is_the_one_numeric_option_that_varies() -> None:
    options = options_of(
        c={"model.k_min": 64}, baseline={"model.order": "none"}, a={"model.k_min": 1}, b={}
    )
    axis = find_axis(options)
    assert axis is not None
    assert axis.option == "model.k_min"
    assert list(axis.values.items()) == [("a", 1), ("b", 48), ("c", 64)]


@pytest.mark.parametrize(
    "variants",
    [
        {"a": {"model.k_min": 1}, "b": {}},  # two points are no curve
        {"a": {"model.k_min": 1}, "b": {"model.parts": 2}, "c": {}},  # two options
        {"a": {"model.order": "x"}, "b": {"model.order": "y"}, "c": {}},  # not a number
        {"a": {"model.on": True}, "b": {}, "c": {}},  # neither
        {"a": {"model.k_min": 1}, "b": {"model.k_min": 2}, "c": {}}
        | {name: {"model.order": name} for name in "xyz"},  # most differ in something else
        {},
    ],
)
def test_without_such_an_option_there_is_no_axis(variants: dict[str, dict[str, Any]]) -> None:
    assert find_axis(options_of(**variants)) is None


def test_a_curve_has_the_means_deviations_and_seeds_of_its_variants(tmp_path: Path) -> None:
    axes = axes_of(write_k_min(tmp_path))
    assert axes.get_xlabel().startswith("model.k_min ")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "24", "48", "128"]
    mean = np.mean([0, 1, 4])
    expected = [(place, 50 + len(name) + mean) for place, name in enumerate(K_MIN)]
    (curve,) = bars(axes)
    np.testing.assert_allclose(curve, expected)
    container = next(item for item in axes.containers if isinstance(item, ErrorbarContainer))
    segments = np.array(container.lines[2][0].get_segments())  # (M, 2 ends, x and y)
    np.testing.assert_allclose(np.ptp(segments[..., 1], axis=1), 2 * np.std([0, 1, 4], ddof=1))
    points = {tuple(point) for line in axes.lines for point in line.get_xydata()}
    assert points >= {(1 + BESIDE, 50 + len("k_min_24") + square) for square in (0, 1, 4)}
    # the two other features, 10 and 20 higher here
    np.testing.assert_allclose(
        [
            line.get_ydata()
            for line in axes.lines
            if to_hex(line.get_markerfacecolor()) == "#ffffff"
        ],
        [curve[:, 1] + 10, curve[:, 1] + 20],
    )


def test_a_variant_without_the_option_is_a_level(tmp_path: Path) -> None:
    axes = axes_of(write_k_min(tmp_path))
    level = next(line for line in axes.lines if line.get_label() == "baseline (coarse)")
    assert set(level.get_ydata()) == {50 + len("baseline") + 5 / 3}


def test_variants_of_several_options_are_rows(tmp_path: Path) -> None:
    paths = [
        write_run(tmp_path, "baseline", 0, ("coarse", "global"), selection="none"),
        write_run(tmp_path, "dpeformer", 0, FULL),
    ]
    axes = axes_of(paths)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["baseline", "dpeformer"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first on top
    np.testing.assert_allclose(np.concatenate(bars(axes)), [(58, 0), (59, 1)])
    colours = {line.get_color() for line in axes.lines if (58, 0) in map(tuple, line.get_xydata())}
    assert LOOKS["coarse"][0] in colours
    points = {tuple(point) for line in axes.lines for point in line.get_xydata()}
    assert points >= {(68, 0), (69, 1), (79, 1)}


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_picture_is_whole_and_the_same_every_time(tmp_path: Path, seeds: int) -> None:
    paths = write_k_min(tmp_path, seeds)
    for name in ("a.png", "b.png"):
        draw_ablation([Run(path.parent) for path in paths], tmp_path / name, ["baseline", *K_MIN])
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.array(image.convert("RGB"))
    edge = np.ones(pixels.shape[:2], bool)
    edge[4:-4, 4:-4] = False
    assert (pixels[edge] == 255).all()
    assert (pixels != 255).any()


def test_a_run_without_a_record_is_named(tmp_path: Path) -> None:
    paths = write_k_min(tmp_path, seeds=1)
    (paths[0].parent / "run.json").unlink()
    with pytest.raises(InputError, match=r"baseline/seed0/run\.json: no such file"):
        draw_ablation(
            [Run(path.parent) for path in paths], tmp_path / "a.png", ["baseline", *K_MIN]
        )
