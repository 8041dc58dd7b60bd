"""Training on a GPU: repeatable, resumable, without waits; skipped where torch finds none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.heads import random_batch
from pipeline.files import read_json
from pipeline.model.build import build_model
from pipeline.options.compute import ComputeOptions
from pipeline.options.run import RunOptions
from pipeline.training.loop import Learner, make_memories
from pipeline.training.optimizer import make_optimizer
from tests.model.test_variants import CONFIG, scaled
from tests.training.runs import STEPS, Runner, result, rows, stopped

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")


def gpu(precision: str, **values: object) -> ComputeOptions:
    values = {"device": "cuda", "precision": precision, "checkpoint_steps": 3} | values
    return ComputeOptions.model_validate(values)


@pytest.mark.parametrize("compile_", [False, True])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_stopped_run_resumes_to_the_same_bytes(
    run: Runner, long_options: RunOptions, tmp_path: Path, precision: str, compile_: bool
) -> None:
    given = {"options": long_options, "compute": gpu(precision, compile=compile_)}
    uninterrupted = run("uninterrupted", **given)
    assert stopped(run, tmp_path / "stopped", **given) < STEPS
    assert result(run("stopped", **given)) == result(uninterrupted)
    record = read_json(uninterrupted / "run.json")
    assert record["deterministic"]
    assert record["peak_gpu_memory_mib"] > 1
    assert record["energy_joules"]["gpu-0"] > 0


@pytest.mark.parametrize("values", [{}, {"chunk": 5}, {"compile": True}])
def test_losses_are_those_of_the_cpu(
    run: Runner, options: RunOptions, values: dict[str, object]
) -> None:
    options = options.model_copy(
        update={"backbone": options.backbone.model_copy(update={"drop_path": 0.0})}
    )
    here = rows(run("cpu", options=options))
    there = rows(run("gpu", options=options, compute=gpu("float32", **values)))
    for row, other in zip(here, there, strict=True):
        assert float(other["loss"]) == pytest.approx(float(row["loss"]), rel=1e-3)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="NCCL needs a GPU for each rank")
def test_two_gpus_train_as_one(run: Runner, options: RunOptions) -> None:
    one = rows(run("one", options=options, compute=gpu("float32")))
    two = rows(run("two", options=options, compute=gpu("float32", gpus=2)))
    for row, other in zip(one, two, strict=True):
        assert float(other["loss"]) == pytest.approx(float(row["loss"]), rel=1e-3)


@pytest.mark.parametrize("variant", ["baseline", *CONFIG.variants])
def test_a_step_never_waits_for_the_gpu(variant: str) -> None:
    options, device = scaled(variant), torch.device("cuda")
    model = build_model(options, 5, pretrained=False, precision="bfloat16", device=device).train()
    memories = make_memories(model, 5, options.loss, device)
    learner = Learner(model, memories, make_optimizer(model, options.training), options, device)
    batch = random_batch(8, options)
    batch = type(batch)(*(part.pin_memory() for part in batch))
    learner.step(batch)  # constants are copied once
    torch.cuda.set_sync_debug_mode("error")
    try:
        learner.step(batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")
