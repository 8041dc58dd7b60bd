"""The rule of a training starts its processes; see tests/training/test_distributed.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.files import read_json
from tests.workflow.conftest import Project


@pytest.mark.long
def test_the_rule_trains_in_several_processes(project: Project) -> None:
    tiny = project.of_one_run(compare=["baseline"], compute={"device": "cpu", "gpus": 2})
    run = "synthetic/baseline/seed0"
    done = replace(tiny, warm=None).snakemake(f"results/{run}/weights.safetensors")
    assert done.returncode == 0, done.stdout
    assert read_json(project.folder / f"results/{run}/run.json")["compute"]["gpus"] == 2
    log = (project.folder / f"results/logs/{run}/train.log").read_text()
    assert "[rank 0] compute.gpus: 2 CPU processes (gloo)" in log
