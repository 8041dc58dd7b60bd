"""The benchmark of shortcuts on a tiny benchmark, with an untrained network."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import painted
from benchmarks.shortcuts import (
    PAINTED_PARTS,
    TRAINED,
    Arrays,
    GroundTruth,
    embed_painted,
    main,
    over_representation,
    paint,
    read_ground_truth,
    shared_properties,
)
from pipeline.data.shards import Sample, write_index, write_shards
from pipeline.errors import InputError
from pipeline.evaluation.embed import ImageBatch, load_trained
from pipeline.evaluation.metrics import Ranking
from pipeline.files import sha256, write_json
from pipeline.model.build import build_model, describe
from pipeline.model.weights import save_weights
from pipeline.options.rendered import BenchmarkOptions
from pipeline.options.run import ImageOptions, ModelOptions, RunOptions
from pipeline.synthetic.benchmark import render_benchmark
from pipeline.synthetic.plan import OCCLUSIONS
from pipeline.world.surfaces import PART
from tests.miniatures import encode
from tests.synthetic.conftest import BODY
from tests.tiny import tiny_backbone

IMAGE = ImageOptions(height=64, width=32)
OPTIONS = BenchmarkOptions(
    seed=5,
    height=64,
    cameras=3,
    obstacles=2,
    obstacles_per_camera=1,  # dealt in turn: the first and the last camera share one
    train_identities=2,
    train_images=1,
    train_occluded=0,
    test_identities=4,
    gallery_only_identities=1,
    gallery_images=2,
    gallery_occluded=0.5,
    person_occluders=0.25,
    whole_queries_per_identity=0,
    junk_images=2,
    distractor_images=3,
)
SPLITS = {"query": "query", "bounding_box_test": "gallery"}
NAME = re.compile(r".*/(\w+)/((-1|\d+)_c(\d)\w+)\.jpg")


def write_test_shards(folder: Path, images: dict[str, np.ndarray]) -> Path:
    """Write query and gallery shards of images, by their names in the archive, without loss."""
    folder.mkdir()
    samples: dict[str, list[Sample]] = {"query": [], "gallery": []}
    for name, pixels in images.items():
        found = NAME.fullmatch(name)
        assert found is not None
        if found[1] in SPLITS:
            meta = {"identity": int(found[3]), "camera": int(found[4])}
            samples[SPLITS[found[1]]].append(Sample(found[2], "png", encode(pixels), meta))
    rows = [row for split, own in samples.items() for row in write_shards(folder, split, own)]
    write_index(folder, rows)
    return folder


def read_archive(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as file:
        return {n: np.asarray(Image.open(io.BytesIO(file.read(n)))) for n in file.namelist()}


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic")
    render_benchmark(BODY, folder / "archive.zip", folder / "ground_truth.npz", OPTIONS)
    write_test_shards(folder / "shards", read_archive(folder / "archive.zip"))
    return folder


@pytest.fixture(scope="module")
def ground_truth(benchmark: Path) -> GroundTruth:
    return read_ground_truth(benchmark)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    model = ModelOptions(selection="none")
    options = RunOptions(image=IMAGE, backbone=tiny_backbone(), model=model)
    network = build_model(options, identities=5, pretrained=False)
    save_weights(network, folder / "weights.safetensors", describe(options, cameras=[]))
    hashes = {"weights": sha256(folder / "weights.safetensors")}
    write_json(folder / "run.json", {"hashes": hashes})
    return folder


def test_paint_covers_only_the_parts() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice([PART["background"], PART["top"], PART["obstacle"]], (2, 8, 4))
    images = torch.from_numpy(rng.integers(0, 100, (2, 3, 16, 8), dtype=np.uint8))
    batch = ImageBatch(images, ["a", "b"], [1, 2], [1, 1])
    image = ImageOptions(mean=(0.5, 0.6, 0.7))
    painted = paint(batch, labels, ["background", "obstacle"], image).images
    covered = torch.from_numpy(np.kron(labels != PART["top"], np.ones((2, 2))) > 0)
    for channel, colour in enumerate((128, 153, 178)):
        assert (painted[:, channel][covered] == colour).all()
        assert torch.equal(painted[:, channel][~covered], images[:, channel][~covered])
    assert torch.equal(paint(batch, labels, [], image).images, images)


@pytest.mark.parametrize("condition", list(PAINTED_PARTS))
def test_painted_pixels_do_not_change_the_features(
    benchmark: Path, ground_truth: GroundTruth, run: Path, tmp_path: Path, condition: str
) -> None:
    parts = [PART[part] for part in PAINTED_PARTS[condition]]
    inverted = read_archive(benchmark / "archive.zip")
    for name, pixels in inverted.items():
        mask = np.isin(ground_truth.labels[ground_truth.keys.index(Path(name).stem)], parts)
        inverted[name] = np.where(mask[..., None], 255 - pixels, pixels)
    model, image = load_trained(run / "weights.safetensors", run / "run.json")
    plain, other = (
        embed_painted(model, image, shards, ground_truth, PAINTED_PARTS[condition])
        for shards in (benchmark / "shards", write_test_shards(tmp_path / "shards", inverted))
    )
    for name in ("query_coarse", "gallery_global"):
        np.testing.assert_array_equal(plain[name], other[name])


def test_the_obstacle_of_an_image_is_one_of_its_camera(ground_truth: GroundTruth) -> None:
    cameras = np.array([int(key.split("_c")[1][0]) - 1 for key in ground_truth.keys])
    shown = [set(ground_truth.obstacle[cameras % 2 == own]) - {""} for own in range(2)]
    assert [len(kinds) for kinds in shown] == [1, 1]
    assert shown[0] != shown[1]


def test_an_image_without_masks_is_named(ground_truth: GroundTruth) -> None:
    with pytest.raises(InputError, match=r"found no masks of '0099_c1'"):
        ground_truth.rows([ground_truth.keys[0], "0099_c1"])


def test_shared_properties_of_an_example() -> None:
    obstacle, person = (OCCLUSIONS.index(kind) for kind in ("obstacle", "person"))
    occlusion = np.array([obstacle, person, 0, obstacle, person])
    ground_truth = GroundTruth(
        list("qpabc"), np.empty(0), occlusion, np.array(["bin", "", "bin", "bin", "car"])
    )
    arrays = {
        "query_keys": np.array(["q", "p"]),
        "gallery_keys": np.array(["a", "b", "c"]),
        "query_cameras": np.array([1, 2]),
        "gallery_cameras": np.array([1, 2, 2]),
    }
    found = {
        name: has_property.tolist()
        for name, has_property in shared_properties(arrays, ground_truth).items()
    }
    assert found == {
        "is occluded": [[False, True, True], [False, True, True]],
        "is of the query's camera": [[True, False, False], [False, True, True]],
        "shows the query's obstacle": [[True, True, False], [False, False, False]],
        "shows it before another camera": [[False, True, False], [False, False, False]],
    }


def random_rankings(rng: np.random.Generator) -> tuple[Arrays, list[Ranking]]:
    """Two runs that rank 60 images at random for 40 queries of 10 identities."""
    arrays = {
        "query_identities": np.repeat(np.arange(1, 11), 4),
        "gallery_identities": rng.integers(-1, 11, 60),
    }
    top = [np.stack([rng.permutation(60)[:10] for _ in range(40)]) for _ in range(2)]
    nothing = np.zeros(40)
    return arrays, [Ranking(nothing, nothing, nothing, nothing, t) for t in top]


def test_ratio_equals_a_count_by_hand() -> None:
    rng = np.random.default_rng(0)
    arrays, rankings = random_rankings(rng)
    has_property = rng.random((40, 60)) < 0.3
    has_property[:4] = False  # not for the queries of the first identity
    others, fractions, hits = arrays["gallery_identities"], [], []
    for ranking in rankings:
        for query in range(4, 40):
            wrong = (others != arrays["query_identities"][query]) & (others >= 0)
            first = [g for g in ranking.top[query, :5] if wrong[g]]
            fractions += [has_property[query][wrong].mean()] * len(first)
            hits += [has_property[query, g] for g in first]
    found, expected, ratio = over_representation(rankings, arrays, has_property)
    assert found == pytest.approx(np.mean(hits))
    assert expected == pytest.approx(np.mean(fractions))
    assert ratio[0] == pytest.approx(found / expected)
    low, high = np.quantile(ratio[1:], [0.025, 0.975])
    assert low < 1 < high


def test_ranking_by_the_property_has_the_largest_ratio() -> None:
    rng = np.random.default_rng(1)
    arrays, rankings = random_rankings(rng)
    has_property = np.zeros((40, 60), bool)
    np.put_along_axis(has_property, rankings[0].top[:, :5], True, axis=1)
    found, expected, ratio = over_representation(rankings[:1], arrays, has_property)
    assert found == 1
    assert ratio[0] == pytest.approx(1 / expected)
    assert (ratio[1:] > 5).all()


def test_prints_each_condition_and_property(
    benchmark: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(benchmark), str(run), "--trained-painted", str(run)])
    printed = capsys.readouterr().out
    assert "mAP of 8 occluded queries by coarse, 1 runs" in printed
    number = r"[+-]?[\d.]+"
    interval = rf"\({number} to {number}\)"
    maps = {
        condition: float(re.search(rf"^{condition} +({number})", printed, re.MULTILINE)[1])
        for condition in PAINTED_PARTS
    }
    for condition in list(PAINTED_PARTS)[1:]:
        line = re.search(rf"^{condition} .* ({number}) {interval}$", printed, re.MULTILINE)
        difference = maps[condition] - maps["original images"]
        assert float(line[1]) == pytest.approx(difference, abs=0.11)
    same_network = maps["background and obstacles painted"]
    assert re.search(rf"^{TRAINED} +{same_network}   ", printed, re.MULTILINE)
    for name in ("is occluded", "is of the query's camera"):
        assert re.search(rf"^{name} +{number}% +{number}% +{number} {interval}$", printed, re.M)


def test_a_painted_dataset_shows_people_alone(
    benchmark: Path, ground_truth: GroundTruth, tmp_path: Path
) -> None:
    folder = tmp_path / "painted"
    painted.main([str(benchmark), str(folder)])
    with open(folder / "images.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    archive = read_archive(benchmark / "archive.zip")
    splits = Counter(row["split"] for row in rows)
    assert splits == {"train": 2, "query": 8, "gallery": len(archive) - 10}
    for row in rows:
        key = Path(row["path"]).stem
        assert key.startswith(f"{row['id']}_c{row['camera']}")
        labels = ground_truth.labels[ground_truth.keys.index(key)]
        hidden = np.isin(labels, [PART["background"], PART["obstacle"]])
        pixels = np.asarray(Image.open(folder / row["path"]))
        assert (pixels[hidden] == 128).all()
        original = next(image for name, image in archive.items() if Path(name).stem == key)
        np.testing.assert_array_equal(pixels[~hidden], original[~hidden])
