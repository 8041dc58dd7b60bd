from __future__ import annotations

import csv
import math
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pipeline.data.shards import ShardReader
from pipeline.errors import InputError
from pipeline.files import read_json, sha256
from pipeline.model.dpeformer import build_model
from pipeline.options.compute import ComputeOptions
from pipeline.options.run import RunOptions
from pipeline.training.loop import Learner, start_memories
from pipeline.training.optimizer import make_optimizer
from pipeline.training.train import train
from pipeline.training.views import Places, TrainingImages, TwoViews, load_batches, normalise

CPU = ComputeOptions(device="cpu", precision="float32")
K = [f"k_q{percent}" for percent in (10, 25, 50, 75, 90)]
EPOCHS = 40  # enough for a run to be killed among them
Runner = Callable[..., Path]


def with_(options: RunOptions, section: str, **values: Any) -> RunOptions:
    changed = getattr(options, section).model_copy(update=values)
    return options.model_copy(update={section: changed})


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def run(tmp_path: Path, shards: Path, bank: Path, options: RunOptions) -> Runner:
    """Train into a folder of tmp_path; returns the folder."""

    def call(
        name: str,
        seed: int = 0,
        options: RunOptions = options,
        compute: ComputeOptions = CPU,
        shards: Path = shards,
        bank: Path | None = bank,
    ) -> Path:
        folder = tmp_path / name
        train(
            shards,
            folder / "weights.safetensors",
            folder / "history.csv",
            folder / "run.json",
            folder / "state.pt",
            options,
            compute,
            dataset="toy",
            variant="tiny",
            seed=seed,
            bank=bank,
        )
        return folder

    return call


def weights(folder: Path) -> str:
    return sha256(folder / "weights.safetensors")


def command(folder: Path, shards: Path, bank: Path, options: RunOptions) -> list[str]:
    """The command line by which the workflow runs the stage."""
    arguments = {
        "shards": shards,
        "weights": folder / "weights.safetensors",
        "history": folder / "history.csv",
        "record": folder / "run.json",
        "state": folder / "state.pt",
        "options": options.model_dump_json(),
        "compute": CPU.model_dump_json(),
        "dataset": "toy",
        "variant": "tiny",
        "seed": 0,
        "bank": bank,
    }
    words = [sys.executable, "-m", "pipeline.training.train"]
    for name, value in arguments.items():
        words += [f"--{name}", str(value)]
    return words


def kill_after_an_epoch(folder: Path, shards: Path, bank: Path, options: RunOptions) -> None:
    """Run the stage in a process of its own; kill it as soon as it has saved a state."""
    child = subprocess.Popen(
        command(folder, shards, bank, options),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (folder / "state.pt").is_file():
        assert child.poll() is None, "the child ended before it saved a state"
        time.sleep(0.001)
    child.kill()
    assert child.wait() == -signal.SIGKILL, "the child ended before it was killed"


@pytest.mark.parametrize("recipe", [{"optimizer": "adamw", "ema": 0.9}, {"optimizer": "sgd"}])
def test_a_killed_run_resumes_to_the_same_bits(
    run: Runner, shards: Path, bank: Path, options: RunOptions, tmp_path: Path, recipe: dict
) -> None:
    options = with_(options, "training", epochs=EPOCHS, **recipe)
    whole = run("whole", options=options)
    killed = tmp_path / "killed"
    kill_after_an_epoch(killed, shards, bank, options)
    assert not (killed / "weights.safetensors").exists()
    done = len(torch.load(killed / "state.pt", weights_only=True)["history"])
    assert 1 <= done < EPOCHS
    before = rows(killed)[:done]
    run("killed", options=options)
    assert weights(killed) == weights(whole)
    assert rows(killed)[:done] == before
    assert [row["loss"] for row in rows(killed)] == [row["loss"] for row in rows(whole)]
    assert not (killed / "state.pt").exists()


def test_a_state_of_another_run_is_ignored_with_a_message(
    run: Runner,
    shards: Path,
    bank: Path,
    options: RunOptions,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    longer = with_(options, "training", epochs=EPOCHS)
    kill_after_an_epoch(tmp_path / "other", shards, bank, longer)
    other = run("other", options=options)
    assert "training starts anew" in caplog.text
    assert weights(other) == weights(run("fresh"))


def test_a_full_disk_leaves_no_half_of_a_state(
    shards: Path, bank: Path, options: RunOptions, tmp_path: Path
) -> None:
    """A real fault: the process may write no file of more than 20 kB."""
    done = subprocess.run(
        command(tmp_path, shards, bank, options),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"({tmp_path / 'state.pt'}): nothing half-written was kept" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]


def test_a_damaged_state_is_ignored_with_a_message(
    run: Runner, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for content in (b"", b"not a state", b"PK\x03\x04 cut off"):
        (tmp_path / "damaged").mkdir(exist_ok=True)
        (tmp_path / "damaged" / "state.pt").write_bytes(content)
        damaged = run("damaged")
        assert "state.pt: cannot be read" in caplog.text
        caplog.clear()
    assert weights(damaged) == weights(run("fresh"))


def test_the_running_average_is_the_result_where_one_is_kept(
    run: Runner, options: RunOptions
) -> None:
    last = load_file(run("last") / "weights.safetensors")
    mean = load_file(
        run("mean", options=with_(options, "training", ema=0.5)) / "weights.safetensors"
    )
    assert mean.keys() == last.keys()
    assert not any(torch.equal(mean[name], last[name]) for name in last if "classifier" in name)


@pytest.mark.parametrize("contrast", ["none", "blended", "both"])
def test_the_contrast_decides_the_weights(run: Runner, options: RunOptions, contrast: str) -> None:
    changed = run("changed", options=with_(options, "loss", contrast=contrast))
    assert weights(changed) != weights(run("coarse"))
    names = {"none": [], "both": ["coarse", "blended"]}.get(contrast, [contrast])
    expected = {f"contrast_{name}_{view}" for name in names for view in ("clean", "second")}
    assert {name for name in rows(changed)[0] if name.startswith("contrast")} == expected


def test_the_seed_decides_the_weights(run: Runner) -> None:
    first = run("first")
    assert weights(run("again")) == weights(first)
    assert weights(run("workers", compute=CPU.model_copy(update={"workers": 2}))) == weights(first)
    assert weights(run("seed", seed=1)) != weights(first)


def test_occlusion_changes_the_result_and_needs_no_bank_when_off(
    run: Runner, options: RunOptions
) -> None:
    off = with_(options, "augment", occlusion="none")
    unused = run("unused", options=off)
    assert weights(unused) != weights(run("roa"))
    assert weights(unused) == weights(run("absent", options=off, bank=None))
    assert read_json(unused / "run.json")["hashes"]["bank"] is None


@pytest.mark.parametrize("selection", ["none", "all", "dpsm"])
def test_training_lowers_the_loss_and_fills_the_history(
    run: Runner, options: RunOptions, selection: str
) -> None:
    options = with_(with_(options, "model", selection=selection), "backbone", drop_path=0.0)
    options = with_(options, "training", epochs=15, lr=3e-3, head_lr_factor=5.0)
    history = rows(run("run", options=options))
    losses = [float(row["loss"]) for row in history]
    assert losses[-1] < 0.8 * losses[0]
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


def test_the_record_says_what_was_run(
    run: Runner, options: RunOptions, shards: Path, bank: Path
) -> None:
    folder = run("run", seed=3)
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
        "weights": weights(folder),
        "history": sha256(folder / "history.csv"),
    }
    assert record["versions"]["torch"] == torch.__version__.split("+")[0]
    assert record["started"] <= record["finished"]
    assert record["seconds"] > 0
    assert record["peak_memory_mib"] > 50
    names = load_file(folder / "weights.safetensors")
    assert names["global_classifier.weight"].shape == (6, 32)


def test_a_camera_embedding_is_learned_and_recorded(run: Runner, options: RunOptions) -> None:
    plain = run("plain")
    with_cameras = with_(options, "backbone", camera_embedding=1.0)
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


def test_both_views_and_the_first_centres_are_told_the_cameras(
    shards: Path, options: RunOptions
) -> None:
    options = with_(options, "backbone", camera_embedding=1.0)
    images = TrainingImages(ShardReader(shards, "train"), options.image)
    model = build_model(options, 6, pretrained=False, cameras=images.camera_numbers)
    cpu = torch.device("cpu")
    optimizer = make_optimizer(model, options.training)
    told: list[tuple[torch.Tensor, torch.Tensor]] = []
    model.register_forward_pre_hook(lambda model, inputs: told.append(inputs))
    memories = start_memories(model, images, options, cpu)
    assert torch.cat([cameras for _, cameras in told]).tolist() == images.cameras.tolist()
    told.clear()
    views = TwoViews(images, options.augment, None, seed=0)
    places = Places(images.labels, options.training, seed=0, first_epoch=0)
    batch = next(load_batches(views, places, workers=0, pin=False))
    Learner(model, memories, optimizer, options, cpu).step(batch, rate=1e-3)
    [(pixels, cameras)] = told
    for half, view in ((slice(0, 6), batch.clean), (slice(6, 12), batch.second)):
        assert torch.equal(pixels[half], normalise(view, options.image))
        assert torch.equal(cameras[half], batch.cameras)


def test_a_loss_that_is_not_finite_stops_with_step_and_culprit(
    run: Runner, options: RunOptions, tmp_path: Path
) -> None:
    mad = with_(options, "training", lr=1e30, warmup_epochs=0.0)
    with pytest.raises(
        InputError, match=r"epoch 1 of 3, step 2 of 2: the loss (identity|contrast)_\w+ is nan"
    ) as error:
        run("mad", options=mad)
    assert "lower training.lr (now 1e+30)" in str(error.value)
    assert not (tmp_path / "mad" / "weights.safetensors").exists()


def test_weights_that_are_not_finite_are_never_a_result(
    run: Runner, options: RunOptions, tmp_path: Path
) -> None:
    """One step only: no later loss can tell."""
    mad = with_(options, "training", lr=1e38, head_lr_factor=1e3, epochs=1, identities=6)
    with pytest.raises(InputError, match=r"step 1 of 1: the weights \S+ are not finite"):
        run("mad", options=with_(mad, "training", warmup_epochs=0.0))
    assert not (tmp_path / "mad" / "weights.safetensors").exists()


def test_bad_input_is_named(run: Runner, options: RunOptions, shards: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"takes 7 identities, found 6"):
        run("batch", options=with_(options, "training", identities=7))
    with pytest.raises(InputError, match=r"augment\.occlusion.*found none"):
        run("bank", bank=None)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for file in shards.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes()[:-1])
    (damaged / "shards.json").write_bytes((shards / "shards.json").read_bytes())
    with pytest.raises(InputError, match=r"damaged.*: expected \d+ bytes"):
        run("shards", shards=damaged)
