"""Options that save memory or time: chunks of the batch, torch.compile, losses read late."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from pipeline.errors import InputError
from pipeline.model.build import build_model
from pipeline.model.dpeformer import DPEFormer
from pipeline.options.compute import ComputeOptions
from pipeline.options.run import RunOptions
from pipeline.training.checkpoint import Progress
from pipeline.training.history import READ_EVERY, LossReader
from tests.cases import long_but
from tests.model.test_variants import CONFIG, scaled
from tests.training.runs import Runner, compute_with, result, with_options


def random_images(count: int, seed: int) -> Tensor:
    shape = (count, 3, CONFIG.image.height, CONFIG.image.width)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def gradients(model: DPEFormer, images: Tensor, cameras: Tensor) -> dict[str, Tensor]:
    features = model(images, cameras, views=2)
    logits = model.classify(features)
    sum(part.square().sum() for part in logits if part is not None).backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("variant", ["baseline", "dpeformer", "dpeformer_concat"])
@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_chunks_have_the_gradients_and_batch_statistics_of_the_whole_batch(
    variant: str, chunk: int
) -> None:
    options = with_options(scaled(variant), "backbone", drop_path=0.0, camera_embedding=1.0)
    images, cameras = random_images(8, seed=1), torch.arange(8) % 2
    models = []
    for size in (None, chunk):
        torch.manual_seed(0)
        model = build_model(options, 5, pretrained=False, cameras=[1, 2]).train()
        model.chunk = size
        models.append((gradients(model, images, cameras), dict(model.named_buffers())))
    (whole, statistics), (chunked, same_statistics) = models
    assert whole.keys() == chunked.keys()
    for name in whole:
        scale = whole[name].abs().max() + 1e-12
        assert (whole[name] - chunked[name]).abs().max() / scale < 1e-3, name
    for name in statistics:
        torch.testing.assert_close(statistics[name], same_statistics[name])


def test_chunk_limits_the_images_of_a_pass_in_training_only() -> None:
    model = build_model(scaled("dpeformer"), 5, pretrained=False)
    model.chunk = 3
    sizes: list[int] = []
    model.backbone.norm.register_forward_pre_hook(lambda norm, given: sizes.append(len(given[0])))
    model.train()(random_images(8, seed=1), views=2)
    assert sizes == [3, 3, 2]
    model.eval()(random_images(8, seed=1))
    assert sizes[3:] == [8]


def test_a_chunked_training_resembles_the_whole_one(run: Runner, options: RunOptions) -> None:
    options = with_options(options, "backbone", drop_path=0.0)
    whole = load_file(run("whole", options=options) / "weights.safetensors")
    compute = ComputeOptions(device="cpu", precision="float32", chunk=5)
    chunked = load_file(run("chunked", options=options, compute=compute) / "weights.safetensors")
    for name, values in whole.items():
        torch.testing.assert_close(chunked[name], values, atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize("variant", long_but(CONFIG.variants, "dpeformer"))
def test_every_variant_compiles_without_a_graph_break(variant: str) -> None:
    torch.manual_seed(0)
    model = build_model(scaled(variant), 5, pretrained=False).train()
    images = random_images(4, seed=1)
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.manual_seed(0)
    expected = model(images, views=2)
    torch.manual_seed(0)
    found = compiled(images, views=2)
    torch.testing.assert_close(found.coarse, expected.coarse)


def test_only_steps_are_compiled(
    run: Runner, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_, modes = torch.compile, []

    def eager(model: torch.nn.Module, mode: str) -> Any:
        modes.append(mode)
        return compile_(model, backend="eager")

    monkeypatch.setattr(torch, "compile", eager)
    plain = run("plain", options=options)
    assert modes == []
    compiled = run("compiled", options=options, compute=compute_with(compile=True))
    assert modes == ["reduce-overhead"]
    assert result(compiled) == result(plain)


def add_steps(reader: LossReader, losses: list[float]) -> None:
    for step, loss in enumerate(losses):
        reader.add(f"step {step + 1}", {"total": torch.tensor(loss)}, torch.tensor([step, 7]))


def test_losses_are_read_every_few_steps_or_when_asked(options: RunOptions) -> None:
    progress = Progress("now")
    reader = LossReader(progress, options.training)
    add_steps(reader, [0.5] * (READ_EVERY + 2))
    assert progress.losses == {"total": pytest.approx(0.5 * READ_EVERY)}
    reader.read()
    assert progress.losses == {"total": pytest.approx(0.5 * (READ_EVERY + 2))}
    assert progress.k_values[::2] == list(range(READ_EVERY + 2))


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_the_first_step_with_a_bad_loss_is_named(options: RunOptions, loss: float) -> None:
    reader = LossReader(Progress("now"), options.training)
    add_steps(reader, [1.0, loss, np.nan])
    with pytest.raises(InputError, match=rf"step 2: the loss total is {re.escape(str(loss))}"):
        reader.read()


def test_compile_and_chunk_are_in_the_record(run: Runner, options: RunOptions) -> None:
    compute = ComputeOptions(device="cpu", precision="float32", chunk=7)
    text = Path(run("chunked", compute=compute) / "run.json").read_text()
    assert '"chunk": 7' in text
