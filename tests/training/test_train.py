"""Results, history and record of a training run."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pipeline.data.shards import ShardReader
from pipeline.data.training_images import TrainingImages
from pipeline.files import read_json, sha256
from pipeline.model.backbone import normalise
from pipeline.model.build import build_model
from pipeline.options.compute import ComputeOptions
from pipeline.options.run import RunOptions
from pipeline.training.loader import load_batches
from pipeline.training.loop import Learner, make_memories, start_memories
from pipeline.training.optimizer import make_optimizer
from pipeline.training.sampling import PKBatchSampler
from pipeline.training.views import TwoViews
from tests.cases import long_but
from tests.training.runs import CPU, Runner, rows, train_run, weights, with_options

K = [f"k_q{percent}" for percent in (10, 25, 50, 75, 90)]


def test_running_average_is_the_result_with_ema(
    run: Runner, options: RunOptions, plain: Path
) -> None:
    last = load_file(plain / "weights.safetensors")
    averaged = run("averaged", options=with_options(options, "training", ema=0.5))
    mean = load_file(averaged / "weights.safetensors")
    assert mean.keys() == last.keys()
    assert not any(torch.equal(mean[name], last[name]) for name in last if "classifier" in name)


@pytest.mark.parametrize("contrast", ["none", "blended", "both"])
def test_contrast_changes_the_weights(
    run: Runner, options: RunOptions, plain: Path, contrast: str
) -> None:
    changed = run("changed", options=with_options(options, "loss", contrast=contrast))
    assert weights(changed) != weights(plain)
    names = {"none": [], "both": ["coarse", "blended"]}.get(contrast, [contrast])
    expected = {f"contrast_{name}_{view}" for name in names for view in ("clean", "second")}
    assert {name for name in rows(changed)[0] if name.startswith("contrast")} == expected


def test_occlusion_changes_the_result_and_needs_no_bank_when_off(
    run: Runner, options: RunOptions, plain: Path
) -> None:
    off = with_options(options, "augment", occlusion="none")
    unused = run("unused", options=off)
    assert weights(unused) != weights(plain)
    assert weights(unused) == weights(run("absent", options=off, bank=None))
    assert read_json(unused / "run.json")["hashes"]["bank"] is None


@pytest.fixture(scope="module")
def resized_options(options: RunOptions) -> RunOptions:
    """The images have 32 x 16 pixels: at another size they are resized."""
    return with_options(with_options(options, "image", height=40), "training", epochs=2)


@pytest.fixture(scope="module")
def resized(
    tmp_path_factory: pytest.TempPathFactory, shards: Path, bank: Path, resized_options: RunOptions
) -> Path:
    return train_run(tmp_path_factory.mktemp("resized"), shards, bank, resized_options)


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("model", {"batch_norm": "joint"}),
        ("model", {"class_neck": True}),
        ("training", {"sampler": "portions"}),
        ("training", {"sampler": "random_identity"}),
        ("training", {"schedule": "step"}),
        ("augment", {"jitter_before_resize": False}),
        ("augment", {"resize": "bilinear"}),
    ],
)
def test_each_option_of_the_recipe_changes_the_weights(
    run: Runner,
    resized_options: RunOptions,
    resized: Path,
    section: str,
    values: dict[str, object],
) -> None:
    changed = run("changed", options=with_options(resized_options, section, **values))
    assert weights(changed) != weights(resized)


@pytest.mark.parametrize("selection", long_but(["none", "all", "dpsm"], "none", "dpsm"))
def test_training_lowers_the_loss_and_fills_the_history(
    run: Runner, options: RunOptions, selection: str
) -> None:
    options = with_options(
        with_options(options, "model", selection=selection), "backbone", drop_path=0.0
    )
    options = with_options(
        options, "training", epochs=15, lr=3e-3, head_lr_factor=5.0, warmup_epochs=3.0
    )
    history = rows(run("run", options=options))
    losses = [float(row["loss"]) for row in history]
    assert losses[-1] < 0.9 * losses[0]
    assert [int(row["epoch"]) for row in history] == list(range(1, 16))
    assert float(history[0]["lr"]) < float(history[3]["lr"])
    assert math.isclose(float(history[-1]["lr"]), 0.002 * 3e-3)
    parts = [
        "identity_global",
        "identity_coarse",
        "contrast_coarse_clean",
        "contrast_coarse_second",
    ]
    if selection != "none":
        parts += ["identity_blended", "identity_parts"]
    first = ["epoch", "lr", "seconds", "images_per_second", *K, "loss", "token_auc"]
    assert set(first) < set(history[0])
    assert set(history[0]) == {*first, *parts}
    for row in history:
        assert all((row[name] == "") == (selection != "dpsm") for name in K)
        quantiles = [float(row[name]) for name in K if row[name]]
        assert quantiles == sorted(quantiles)


def test_record_describes_the_run(
    run: Runner, options: RunOptions, shards: Path, bank: Path, plain: Path
) -> None:
    folder = run("run", seed=3)
    assert weights(folder) != weights(plain)  # the seed is used
    record = read_json(folder / "run.json")
    assert RunOptions.model_validate(record["options"]) == options
    assert ComputeOptions.model_validate(record["compute"]) == CPU
    expected = {
        "dataset": "toy",
        "variant": "tiny",
        "seed": 3,
        "device": "cpu",
        "precision": "float32",
        "identities": 6,
        "train_images": 24,
    }
    assert record | expected == record
    assert record["hashes"] == {
        "shards": sha256(shards / "shards.json"),
        "bank": sha256(bank / "shards.json"),
        "pretrained": None,
        "ground_truth": None,
        "weights": weights(folder),
        "history": sha256(folder / "history.csv"),
    }
    assert record["versions"]["torch"] == torch.__version__.split("+")[0]
    assert record["started"] <= record["finished"]
    assert record["seconds"] > 0
    assert record["peak_memory_mib"] > 50
    assert record["peak_gpu_memory_mib"] is None
    assert all(joules > 0 for joules in record["energy_joules"].values())
    names = load_file(folder / "weights.safetensors")
    assert names["global_classifier.weight"].shape == (6, 32)


def test_a_camera_embedding_is_learned_and_recorded(
    run: Runner, options: RunOptions, plain: Path
) -> None:
    with_cameras = with_options(options, "backbone", camera_embedding=1.0)
    first = run("first", options=with_cameras)
    assert weights(run("again", options=with_cameras)) == weights(first) != weights(plain)
    record = read_json(first / "run.json")
    assert record["cameras"] == read_json(plain / "run.json")["cameras"] == [1, 2]
    found = load_file(first / "weights.safetensors")
    assert set(found) - set(load_file(plain / "weights.safetensors")) == {"camera_embedding.table"}
    trained = found["camera_embedding.table"]
    torch.manual_seed(0)
    fresh = build_model(with_cameras, 6, pretrained=True, cameras=[1, 2]).camera_embedding.table
    assert trained.shape == (2, 32)
    assert ((trained - fresh).abs().amax(dim=1) > 1e-4).all()


def test_cameras_reach_the_model_for_both_views_and_the_first_centres(
    shards: Path, options: RunOptions
) -> None:
    options = with_options(options, "backbone", camera_embedding=1.0)
    images = TrainingImages(ShardReader(shards, "train"), options.image)
    model = build_model(options, 6, pretrained=False, cameras=images.camera_numbers)
    cpu = torch.device("cpu")
    optimizer = make_optimizer(model, options.training)
    inputs_seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    model.register_forward_pre_hook(lambda model, inputs: inputs_seen.append(inputs[:2]))
    memories = make_memories(model, 6, options.loss, cpu)
    learner = Learner(model, memories, optimizer, options, cpu)
    start_memories(learner, images)
    assert torch.cat([cameras for _, cameras in inputs_seen]).tolist() == images.cameras.tolist()
    inputs_seen.clear()
    views = TwoViews(images, options.augment, None, seed=0)
    sampler = PKBatchSampler(images.labels, options.training, seed=0)
    batch = next(load_batches(views, sampler, workers=0, pin=False))
    learner.step(batch)
    [(pixels, cameras)] = inputs_seen
    for half, view in ((slice(0, 6), batch.clean), (slice(6, 12), batch.second)):
        assert torch.equal(pixels[half], normalise(view, options.image.mean, options.image.std))
        assert torch.equal(cameras[half], batch.cameras)
