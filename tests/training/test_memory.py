"""The memory bank against the sample-by-sample rule M_y <- m M_y + (1 - m) f."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.training.memory import MemoryBank, contrasted_features


def make(identities: int = 4, width: int = 6) -> MemoryBank:
    bank = MemoryBank(identities, width)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3 * identities, width, generator=generator)
    bank.start(features, torch.arange(identities).repeat(3))
    return bank


def test_contrasted_features_of_each_option() -> None:
    names = {
        contrast: contrasted_features(contrast)
        for contrast in ("none", "coarse", "blended", "both")
    }
    assert names == {
        "none": (),
        "coarse": ("coarse",),
        "blended": ("blended",),
        "both": ("coarse", "blended"),
    }


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 1e-5)])
@pytest.mark.parametrize("momentum", [0.0, 0.2, 0.9, 1.0])
def test_batch_update_equals_sequential_updates(
    dtype: torch.dtype, tolerance: float, momentum: float
) -> None:
    for seed, (identities, width, size) in enumerate(
        [(4, 6, 1), (4, 6, 40), (9, 33, 7), (1, 2, 5)]
    ):
        generator = torch.Generator().manual_seed(seed)
        bank = MemoryBank(identities, width, momentum=momentum).to(dtype)
        bank.centres.normal_(generator=generator)
        features = 3 * torch.randn(size, width, generator=generator, dtype=dtype)
        labels = torch.randint(identities, (size,), generator=generator)  # repeated in any order
        expected = bank.centres.double().numpy().copy()
        for feature, label in zip(features.double().numpy(), labels.tolist(), strict=True):
            expected[label] = momentum * expected[label] + (1 - momentum) * feature
        bank.update(features, labels)
        assert bank.centres.dtype == dtype
        np.testing.assert_allclose(bank.centres.double().numpy(), expected, atol=tolerance, rtol=0)


def test_update_casts_features_to_the_dtype_of_the_bank() -> None:
    bank, features = make(), torch.randn(3, 6).bfloat16()
    other = make()
    labels = torch.tensor([1, 1, 3])
    bank.update(features, labels)
    other.update(features.float(), labels)
    assert torch.equal(bank.centres, other.centres)


def test_update_tracks_no_gradient() -> None:
    bank, features = make(), torch.randn(2, 6, requires_grad=True)
    bank.update(features, torch.tensor([0, 0]))
    assert not bank.centres.requires_grad


def test_centres_start_as_identity_means() -> None:
    features = torch.tensor([[2.0, 0.0], [0.0, 7.0], [3.0, 3.0]])
    bank = MemoryBank(3, 2)
    bank.start(features, torch.tensor([0, 0, 2]))
    assert torch.equal(bank.centres, torch.tensor([[1.0, 3.5], [0.0, 0.0], [3.0, 3.0]]))


@pytest.mark.parametrize("seed", range(5))
def test_loss_is_cross_entropy_of_cosines_over_temperature(seed: int) -> None:
    rng = np.random.default_rng(seed)
    identities, width, size = (int(n) for n in rng.integers(1, 12, 3))
    bank = MemoryBank(identities, width, temperature=0.07)
    bank.centres.copy_(torch.from_numpy(5 * rng.normal(size=(identities, width))))
    features, labels = 5 * rng.normal(size=(size, width)), rng.integers(identities, size=size)
    terms = []
    for feature, label in zip(features, labels, strict=True):
        logits = np.array([unit(feature) @ unit(c) for c in bank.centres.double().numpy()]) / 0.07
        terms.append(np.log(np.exp(logits).sum()) - logits[label])
    for dtype, tolerance in ((torch.float64, 1e-5), (torch.float32, 1e-5), (torch.bfloat16, 0.1)):
        # a cosine in bfloat16 is off by up to 1/256, which the temperature makes 0.06
        loss = bank.to(dtype).loss(torch.from_numpy(features).to(dtype), torch.from_numpy(labels))
        assert loss.dtype == dtype
        assert loss.item() == pytest.approx(np.mean(terms), rel=tolerance, abs=tolerance)


def test_loss_passes_gradcheck() -> None:
    bank = make().double()
    features = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([2, 0, 2])
    assert torch.autograd.gradcheck(lambda values: bank.loss(values, labels), features)


def test_centres_are_buffers_not_parameters() -> None:
    bank, other = make(), MemoryBank(4, 6)
    other.load_state_dict(bank.state_dict())
    assert torch.equal(bank.centres, other.centres)
    assert not list(bank.parameters())
