"""The rules that export networks run on request only."""

from __future__ import annotations

import json

import pytest

from tests.workflow.conftest import Project

RUN = "results/synthetic/dpeformer/seed0"


def test_models_are_exported_on_request_only(project: Project) -> None:
    one = project.of_one_run()
    assert not {"onnx", "onnx_int8"} & one.planned("all")
    assert {"export", "onnx", "train"} <= one.planned("export")
    assert {"onnx", "onnx_int8"} <= one.planned(f"{RUN}/model.int8.onnx")


@pytest.mark.long
def test_model_and_its_8_bit_version_are_made(project: Project) -> None:
    done = project.of_one_run().snakemake(f"{RUN}/model.int8.onnx")
    assert done.returncode == 0, done.stdout[-6000:]
    reports = [
        json.loads((project.folder / RUN / name).read_text()) for name in ("onnx.json", "int8.json")
    ]
    assert reports[0]["metrics"]["onnx"] == reports[1]["metrics"]["float32"]
    assert reports[0]["model"] == reports[1]["hashes"]["float32"]
