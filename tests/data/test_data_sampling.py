from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.sampling import epoch_batches
from pipeline.errors import InputError

# 5 identities, not contiguous, with 6, 4, 3, 1 and 2 images
IDENTITIES = np.array([9, 4, 4, 9, 700, 9, 2, 4, 9, 31, 9, 2, 4, 700, 9, 700])


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
        batches = epoch_batches(IDENTITIES, 5, epoch, p, k)
        assert batches.dtype == np.int64
        assert batches.tolist() == _oracle(IDENTITIES, 5, epoch, p, k)


@pytest.mark.parametrize(("p", "k"), [(2, 4), (4, 2), (5, 6)])
def test_batches_hold_p_identities_of_k_images(p: int, k: int) -> None:
    counts = dict(zip(*np.unique(IDENTITIES, return_counts=True), strict=True))
    for epoch in range(20):
        batches = epoch_batches(IDENTITIES, 0, epoch, p, k)
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
    used = {int(i) for epoch in range(60) for i in epoch_batches(IDENTITIES, 0, epoch, 2, 2).flat}
    assert used == set(range(len(IDENTITIES)))


def test_a_function_of_seed_and_epoch_alone() -> None:
    first = epoch_batches(IDENTITIES, 3, 8, 2, 4)
    np.random.seed(99)  # the global state plays no part
    epoch_batches(IDENTITIES, 3, 7, 2, 4)
    np.testing.assert_array_equal(epoch_batches(IDENTITIES, 3, 8, 2, 4), first)
    assert (epoch_batches(IDENTITIES, 3, 9, 2, 4) != first).any()
    assert (epoch_batches(IDENTITIES, 4, 8, 2, 4) != first).any()
    assert (epoch_batches(IDENTITIES, 8, 3, 2, 4) != first).any()


def test_labels_and_raw_identities_give_the_same_batches() -> None:
    labels = np.unique(IDENTITIES, return_inverse=True)[1]
    np.testing.assert_array_equal(
        epoch_batches(labels, 1, 2, 2, 4), epoch_batches(IDENTITIES, 1, 2, 2, 4)
    )


def test_order_of_rows_does_not_change_who_is_drawn() -> None:
    order = np.random.default_rng(0).permutation(len(IDENTITIES))
    drawn = IDENTITIES[epoch_batches(IDENTITIES, 1, 2, 2, 4)]
    shuffled = IDENTITIES[order]
    np.testing.assert_array_equal(shuffled[epoch_batches(shuffled, 1, 2, 2, 4)], drawn)


def test_too_few_identities() -> None:
    with pytest.raises(InputError, match="takes 6 identities, found 5"):
        epoch_batches(IDENTITIES, 0, 0, 6, 4)
    with pytest.raises(InputError, match="found 0"):
        epoch_batches(IDENTITIES[:0], 0, 0, 1, 4)
