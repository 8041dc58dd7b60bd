from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.sampling import epoch_batches
from pipeline.errors import InputError
from pipeline.options.run import TrainingOptions

# 5 identities, not contiguous, with 6, 4, 3, 1 and 2 images
IDENTITIES = np.array([9, 4, 4, 9, 700, 9, 2, 4, 9, 31, 9, 2, 4, 700, 9, 700])


def _batches(
    identities: np.ndarray, seed: int, epoch: int, p: int, k: int, epoch_of: str = "identities"
) -> np.ndarray:
    options = TrainingOptions(identities=p, images=k, epoch_of=epoch_of)
    return epoch_batches(identities, options, seed, epoch)


def _oracle(identities: np.ndarray, seed: int, epoch: int, p: int, k: int) -> list[list[int]]:
    """The same draws with plain loops."""
    rng = np.random.default_rng([seed, epoch])
    people = sorted(set(identities.tolist()))
    order = rng.permutation(len(people)).tolist()
    batches: list[list[int]] = []
    while len(order) >= p:
        batch: list[int] = []
        for person in order[:p]:
            own = [i for i, label in enumerate(identities) if label == people[person]]
            own = rng.permutation(own).tolist()
            batch += [own[place % len(own)] for place in range(k)]
        batches.append(batch)
        order = order[p:]
    return batches


@pytest.mark.parametrize(("p", "k"), [(2, 4), (1, 1), (5, 3), (3, 7)])
def test_equals_plain_loops(p: int, k: int) -> None:
    for epoch in range(3):
        batches = _batches(IDENTITIES, 5, epoch, p, k)
        assert batches.dtype == np.int64
        assert batches.tolist() == _oracle(IDENTITIES, 5, epoch, p, k)


@pytest.mark.parametrize(("p", "k"), [(2, 4), (4, 2), (5, 6)])
def test_batches_hold_p_identities_of_k_images(p: int, k: int) -> None:
    counts = dict(zip(*np.unique(IDENTITIES, return_counts=True), strict=True))
    for epoch in range(20):
        batches = _batches(IDENTITIES, 0, epoch, p, k)
        assert batches.shape == (5 // p, p * k)
        seen = []
        for group in batches.reshape(-1, k):
            labels = IDENTITIES[group]
            assert len(set(labels)) == 1
            uses = np.unique(group, return_counts=True)[1]
            assert len(uses) == min(k, counts[labels[0]])  # repeats only where it must
            assert uses.max() - uses.min() <= 1  # and evenly
            seen.append(labels[0])
        assert len(seen) == len(set(seen)) == 5 // p * p


def test_every_identity_and_image_has_its_turn() -> None:
    used = {int(i) for epoch in range(60) for i in _batches(IDENTITIES, 0, epoch, 2, 2).flat}
    assert used == set(range(len(IDENTITIES)))


def test_a_function_of_seed_and_epoch_alone() -> None:
    first = _batches(IDENTITIES, 3, 8, 2, 4)
    np.random.seed(99)  # the global state plays no part
    _batches(IDENTITIES, 3, 7, 2, 4)
    np.testing.assert_array_equal(_batches(IDENTITIES, 3, 8, 2, 4), first)
    assert (_batches(IDENTITIES, 3, 9, 2, 4) != first).any()
    assert (_batches(IDENTITIES, 4, 8, 2, 4) != first).any()
    assert (_batches(IDENTITIES, 8, 3, 2, 4) != first).any()


def test_labels_and_raw_identities_give_the_same_batches() -> None:
    labels = np.unique(IDENTITIES, return_inverse=True)[1]
    np.testing.assert_array_equal(_batches(labels, 1, 2, 2, 4), _batches(IDENTITIES, 1, 2, 2, 4))


def test_order_of_rows_does_not_change_who_is_drawn() -> None:
    order = np.random.default_rng(0).permutation(len(IDENTITIES))
    drawn = IDENTITIES[_batches(IDENTITIES, 1, 2, 2, 4)]
    shuffled = IDENTITIES[order]
    np.testing.assert_array_equal(shuffled[_batches(shuffled, 1, 2, 2, 4)], drawn)


def test_too_few_identities() -> None:
    with pytest.raises(InputError, match="takes 6 identities, found 5"):
        _batches(IDENTITIES, 0, 0, 6, 4)
    with pytest.raises(InputError, match="found 0"):
        _batches(IDENTITIES[:0], 0, 0, 1, 4)


@pytest.mark.parametrize(("p", "k"), [(2, 2), (3, 1), (5, 2), (1, 4)])
def test_an_epoch_of_images_has_every_portion_of_every_identity(p: int, k: int) -> None:
    """Each batch has different identities; none comes oftener than its images allow."""
    people, counts = np.unique(IDENTITIES, return_counts=True)
    turns = np.maximum(1, counts // k)
    steps = max(s for s in range(1, 20) if np.minimum(turns, s).sum() >= p * s)
    for epoch in range(10):
        groups = _batches(IDENTITIES, 1, epoch, p, k, "images").reshape(-1, p, k)
        labels = IDENTITIES[groups]
        assert len(groups) == steps
        assert (labels == labels[:, :, :1]).all()
        assert all(len(set(row)) == p for row in labels[:, :, 0].tolist())
        for person, count, turn in zip(people, counts, turns, strict=True):
            uses = np.unique(groups[labels == person], return_counts=True)[1]
            assert (labels[:, :, 0] == person).sum() <= turn
            assert uses.size == 0 or count < k or uses.max() == 1


def test_an_epoch_of_images_is_as_long_as_transreids() -> None:
    """Market-1501 in numbers: 12,936 images of 751 identities."""
    labels = np.arange(12936) % 751
    assert _batches(labels, 0, 0, 16, 4, "images").shape == (751 * 4 // 16, 64)
    assert _batches(labels, 0, 0, 16, 4).shape == (46, 64)


def test_an_epoch_of_images_spreads_large_identities_over_its_batches() -> None:
    labels = np.repeat(np.arange(20), [40] * 2 + [4] * 18)
    batches = _batches(labels, 3, 0, 2, 4, "images")
    where = [step for step, row in enumerate(labels[batches].tolist()) if 0 in row]
    assert (len(batches), len(where)) == (19, 10)
    assert min(where) < 6
    assert max(where) > 12


def test_an_epoch_of_images_is_a_function_of_seed_and_epoch() -> None:
    first = _batches(IDENTITIES, 3, 8, 2, 2, "images")
    np.testing.assert_array_equal(_batches(IDENTITIES, 3, 8, 2, 2, "images"), first)
    assert (_batches(IDENTITIES, 3, 9, 2, 2, "images") != first).any()
    assert (_batches(IDENTITIES, 4, 8, 2, 2, "images") != first).any()
