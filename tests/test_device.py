"""Choice of device, precision and number of threads."""

from __future__ import annotations

import pytest
import torch

from pipeline.device import choose_device, choose_precision, make_deterministic
from pipeline.errors import InputError
from pipeline.options.compute import ComputeOptions

CPU = torch.device("cpu")


def test_auto_selects_the_gpu_if_available() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert choose_device(ComputeOptions()).type == expected
    assert choose_device(ComputeOptions(device="cpu")) == CPU


def test_missing_gpu_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"compute\.device: found cuda"):
        choose_device(ComputeOptions(device="cuda"))


def test_explicit_precision_is_used() -> None:
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
def test_auto_selects_bfloat16_if_the_cpu_supports_it(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, bool], expected: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    assert choose_precision(ComputeOptions(), CPU) == expected


def test_deterministic_torch_uses_one_thread() -> None:
    """Sums depend on the number of threads, which Snakemake sets to the rule's threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        make_deterministic(CPU)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
