from __future__ import annotations

import pytest
import torch

from pipeline.device import choose_device, choose_precision, make_deterministic
from pipeline.errors import InputError
from pipeline.options.compute import ComputeOptions

CPU = torch.device("cpu")


def test_auto_takes_the_gpu_where_there_is_one() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert choose_device(ComputeOptions()).type == expected
    assert choose_device(ComputeOptions(device="cpu")) == CPU


# the error can only be met where there is no GPU
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_an_error() -> None:
    with pytest.raises(InputError, match=r"compute\.device: found cuda"):
        choose_device(ComputeOptions(device="cuda"))


def test_precision_is_what_is_asked_for() -> None:
    assert choose_precision(ComputeOptions(precision="float32"), CPU) == "float32"
    assert choose_precision(ComputeOptions(precision="bfloat16"), CPU) == "bfloat16"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"amx_bf16": True}, "bfloat16"),
        ({"avx512_bf16": True, "amx_bf16": False}, "bfloat16"),
        ({"avx512_f": True}, "float32"),
    ],
)
def test_auto_takes_bfloat16_where_the_processor_multiplies_it(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, bool], expected: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    assert choose_precision(ComputeOptions(), CPU) == expected


def test_torch_has_one_thread_however_many_loader_processes_a_job_has_room_for() -> None:
    """Snakemake sets OMP_NUM_THREADS to a rule's threads; sums depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        make_deterministic(CPU)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
