"""The memory bank against the sample-by-sample rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.options import LossOptions
from pipeline.training.memory import MemoryBank


def make(identities: int = 4, width: int = 6) -> MemoryBank:
    bank = MemoryBank(identities, width, LossOptions())
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3 * identities, width, generator=generator)
    bank.start(features, torch.arange(identities).repeat(3))
    return bank


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [1, 1, 1, 1], [2, 0, 2, 3, 0, 2], [3]])
def test_an_update_equals_one_sample_after_the_other(labels: list[int]) -> None:
    bank, features = make(), 3 * torch.randn(len(labels), 6)
    expected = bank.centres.numpy().astype(float)
    for feature, label in zip(features.numpy().astype(float), labels, strict=True):
        expected[label] = unit(0.2 * expected[label] + 0.8 * unit(feature))
    bank.update(features, torch.tensor(labels))
    np.testing.assert_allclose(bank.centres.numpy(), expected, atol=1e-6)


def test_an_update_stays_out_of_the_graph() -> None:
    bank, features = make(), torch.randn(2, 6, requires_grad=True)
    bank.update(features, torch.tensor([0, 0]))
    assert not bank.centres.requires_grad


def test_centres_start_as_the_mean_directions() -> None:
    features = torch.tensor([[2.0, 0.0], [0.0, 7.0], [3.0, 3.0]])
    bank = MemoryBank(3, 2, LossOptions())
    bank.start(features, torch.tensor([0, 0, 2]))
    half = 0.5**0.5
    assert torch.allclose(bank.centres, torch.tensor([[half, half], [0.0, 0.0], [half, half]]))


def test_the_loss_is_cross_entropy_of_cosines_over_the_temperature() -> None:
    bank, features, labels = make(), 5 * torch.randn(3, 6), [2, 0, 2]
    terms = []
    for feature, label in zip(features.numpy().astype(float), labels, strict=True):
        logits = np.array([unit(feature) @ centre for centre in bank.centres.numpy()]) / 0.05
        terms.append(np.log(np.exp(logits).sum()) - logits[label])
    assert bank.loss(features, torch.tensor(labels)).item() == pytest.approx(np.mean(terms), 1e-4)


def test_centres_are_state_but_no_parameters() -> None:
    bank, other = make(), MemoryBank(4, 6, LossOptions())
    other.load_state_dict(bank.state_dict())
    assert torch.equal(bank.centres, other.centres)
    assert not list(bank.parameters())
