from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.options.run import TrainingOptions
from pipeline.training.sampling import PKBatchSampler, epoch_batches

Rng = np.random.Generator | None
# 5 identities, not contiguous, with 6, 4, 3, 1 and 2 images
IDENTITIES = np.array([9, 4, 4, 9, 700, 9, 2, 4, 9, 31, 9, 2, 4, 700, 9, 700])


def _batches(
    identities: np.ndarray, seed: int, epoch: int, p: int, k: int, sampler: str = "identities"
) -> np.ndarray:
    options = TrainingOptions(identities=p, images=k, sampler=sampler)
    return epoch_batches(identities, options, seed, epoch)


def _oracle(
    identities: np.ndarray, seed: int, epoch: int, p: int, k: int, rng: Rng = None
) -> list[list[int]]:
    """The same samples with plain loops."""
    rng = rng or np.random.default_rng([seed, epoch])
    people = sorted(set(identities.tolist()))
    order = rng.permutation(len(people)).tolist()
    batches: list[list[int]] = []
    while len(order) >= p:
        batch: list[int] = []
        for person in order[:p]:
            own = [i for i, label in enumerate(identities) if label == people[person]]
            own = rng.permutation(own).tolist()
            batch += [own[i % len(own)] for i in range(k)]
        batches.append(batch)
        order = order[p:]
    return batches


@pytest.mark.parametrize(("p", "k"), [(2, 4), (1, 1), (5, 3), (3, 7)])
def test_identities_equal_plain_loops(p: int, k: int) -> None:
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


def test_every_image_is_sampled_in_some_epoch() -> None:
    used = {int(i) for epoch in range(60) for i in _batches(IDENTITIES, 0, epoch, 2, 2).flat}
    assert used == set(range(len(IDENTITIES)))


@pytest.mark.parametrize("sampler", ["identities", "portions", "random_identity"])
def test_batches_depend_on_seed_and_epoch_alone(sampler: str) -> None:
    first = _batches(IDENTITIES, 3, 8, 2, 2, sampler).tolist()
    np.random.seed(99)  # the global generator plays no part
    _batches(IDENTITIES, 3, 7, 2, 2, sampler)
    assert _batches(IDENTITIES, 3, 8, 2, 2, sampler).tolist() == first
    for seed, epoch in ((3, 9), (4, 8), (8, 3)):
        assert _batches(IDENTITIES, seed, epoch, 2, 2, sampler).tolist() != first


def test_order_of_images_does_not_change_the_sampled_identities() -> None:
    order = np.random.default_rng(0).permutation(len(IDENTITIES))
    expected = IDENTITIES[_batches(IDENTITIES, 1, 2, 2, 4)]
    shuffled = IDENTITIES[order]
    np.testing.assert_array_equal(shuffled[_batches(shuffled, 1, 2, 2, 4)], expected)


def test_too_few_identities_are_refused() -> None:
    with pytest.raises(InputError, match=r"found 5 identities .* at least the 6"):
        _batches(IDENTITIES, 0, 0, 6, 4)
    with pytest.raises(InputError, match="found 0"):
        _batches(IDENTITIES[:0], 0, 0, 1, 4)


@pytest.mark.parametrize(("p", "k"), [(2, 2), (3, 1), (5, 2), (1, 4)])
def test_portions_fill_as_many_batches_as_possible(p: int, k: int) -> None:
    """A batch has different identities; none occurs more often than its images allow."""
    people, counts = np.unique(IDENTITIES, return_counts=True)
    turns = np.maximum(1, counts // k)
    steps = max(s for s in range(1, 20) if np.minimum(turns, s).sum() >= p * s)
    for epoch in range(10):
        groups = _batches(IDENTITIES, 1, epoch, p, k, "portions").reshape(-1, p, k)
        labels = IDENTITIES[groups]
        assert len(groups) == steps
        assert (labels == labels[:, :, :1]).all()
        assert all(len(set(row)) == p for row in labels[:, :, 0].tolist())
        for person, count, turn in zip(people, counts, turns, strict=True):
            uses = np.unique(groups[labels == person], return_counts=True)[1]
            assert (labels[:, :, 0] == person).sum() <= turn
            assert uses.size == 0 or count < k or uses.max() == 1


def test_portions_use_every_image_of_a_balanced_dataset() -> None:
    """Market-1501 in numbers: 12,936 images of 751 identities."""
    labels = np.arange(12936) % 751
    assert _batches(labels, 0, 0, 16, 4, "portions").shape == (751 * 4 // 16, 64)
    assert _batches(labels, 0, 0, 16, 4).shape == (46, 64)


def test_portions_spread_large_identities_over_the_batches() -> None:
    labels = np.repeat(np.arange(20), [40] * 2 + [4] * 18)
    batches = _batches(labels, 3, 0, 2, 4, "portions")
    steps = [step for step, row in enumerate(labels[batches].tolist()) if 0 in row]
    assert (len(batches), len(steps)) == (19, 10)
    assert min(steps) < 6
    assert max(steps) > 12


def _random_identity_oracle(
    identities: np.ndarray, seed: int, epoch: int, p: int, k: int, rng: Rng = None
) -> list[list[int]]:
    """TransReID's sampler with its dictionaries and lists, and our random generator."""
    rng = rng or np.random.default_rng([seed, epoch])
    people = sorted(set(identities.tolist()))
    portions: dict[int, list[list[int]]] = {person: [] for person in people}
    for person in people:
        own = [i for i, label in enumerate(identities) if label == person]
        if len(own) < k:
            own = [int(i) for i in rng.choice(own, (1, k))[0]]
        else:
            own = rng.permutation(own).tolist()
        batch: list[int] = []
        for image in own:
            batch.append(image)
            if len(batch) == k:
                portions[person].append(batch)
                batch = []
    batches: list[list[int]] = []
    available = list(range(len(people)))
    while len(available) >= p:
        chosen: list[int] = []
        for index in rng.choice(np.array(available), p, replace=False).tolist():
            chosen += portions[people[index]].pop(0)
            if not portions[people[index]]:
                available.remove(index)
        batches.append(chosen)
    return batches


@pytest.mark.parametrize(("p", "k"), [(2, 2), (2, 4), (1, 1), (4, 1), (5, 3)])
def test_random_identity_equals_plain_loops(p: int, k: int) -> None:
    for epoch in range(3):
        batches = _batches(IDENTITIES, 5, epoch, p, k, "random_identity")
        assert batches.tolist() == _random_identity_oracle(IDENTITIES, 5, epoch, p, k)


# identities of Occluded-Duke's training list by their number of images, from 6 on
OCCLUDED_DUKE = (
    *(1, 3, 7, 14, 17, 27, 37, 37, 34, 34, 33, 33, 46, 42, 32, 28, 37, 37, 33, 30, 31, 26, 17),
    *(9, 6, 5, 1, 1, 0, 1, 2, 2, 0, 1, 0, 3, 0, 0, 2, 2, 3, 1, 1, 2, 1, 2, 0, 0, 2, 1),
)
MORE = (58, 58, 58, 61, 65, 67, 68, 70, 71, 78, 81, 87, 99, 110, 122, 201, 289, 426)


def test_random_identity_samples_large_identities_less_than_portions() -> None:
    """The 20 largest have 8.7 % of the samples of 212 steps; portions: 14.7 % of 227 steps."""
    counts = [*np.repeat(np.arange(6, 56), OCCLUDED_DUKE), *MORE]
    labels = np.repeat(np.arange(702), counts)
    assert len(labels) == 15618
    for sampler, steps, fraction in (("random_identity", 212, 0.087), ("portions", 227, 0.147)):
        epochs = [labels[_batches(labels, 0, e, 16, 4, sampler)] for e in range(3)]
        assert np.mean([len(batches) for batches in epochs]) == pytest.approx(steps, abs=1)
        largest = np.mean([(batches >= 702 - 20).mean() for batches in epochs])
        assert largest == pytest.approx(fraction, abs=0.003)


def test_sampler_locates_steps_in_epochs_of_different_lengths() -> None:
    options = TrainingOptions(identities=2, images=2, epochs=5, sampler="random_identity")
    sampler = PKBatchSampler(IDENTITIES, options, seed=0)
    lengths = [len(_batches(IDENTITIES, 0, epoch, 2, 2, "random_identity")) for epoch in range(5)]
    assert len(set(lengths)) > 1
    assert [sampler.steps(epoch) for epoch in range(5)] == lengths
    assert len(sampler) == sum(lengths)
    positions = [(epoch, step) for epoch, steps in enumerate(lengths) for step in range(steps)]
    assert [sampler.locate(step) for step in range(len(sampler))] == positions
    whole = list(sampler)
    assert [batch[0][0] for batch in whole] == [epoch for epoch, _ in positions]
    for step in range(len(whole)):
        assert list(PKBatchSampler(IDENTITIES, options, 0, step)) == whole[step:]


# IDENTITIES 9 and 31 are in dataset 1, the others in dataset 0
DATASETS = np.isin(IDENTITIES, (9, 31)).astype(np.int64)
ORACLES = {"identities": _oracle, "random_identity": _random_identity_oracle}


def _balanced(seed: int, epoch: int, p: int, k: int, sampler: str) -> np.ndarray:
    options = TrainingOptions(identities=p, images=k, sampler=sampler, mixing="balanced")
    return epoch_batches(IDENTITIES, options, seed, epoch, DATASETS)


def _balanced_oracle(epoch: int, p: int, k: int, sampler: str) -> list[list[int]]:
    """Batches joined from those of each dataset alone, which starts again when it ends."""
    steps = len(ORACLES[sampler](IDENTITIES, 5, epoch, p, k))
    batches: list[list[int]] = [[] for _ in range(steps)]
    for dataset in (0, 1):
        images = [i for i in range(len(IDENTITIES)) if DATASETS[i] == dataset]
        people = p // 2 + (1 if dataset < p % 2 else 0)
        rng = np.random.default_rng([5, epoch]).spawn(2)[dataset]
        own: list[list[int]] = []
        while len(own) < steps:
            own += ORACLES[sampler](IDENTITIES[images], 5, epoch, people, k, rng)
        for step in range(steps):
            batches[step] += [images[i] for i in own[step]]
    return batches


@pytest.mark.parametrize("sampler", ["identities", "random_identity"])
@pytest.mark.parametrize(("p", "k"), [(2, 2), (3, 4), (4, 1), (2, 1)])
def test_balanced_mixing_equals_plain_loops(p: int, k: int, sampler: str) -> None:
    for epoch in range(3):
        batches = _balanced(5, epoch, p, k, sampler)
        assert batches.tolist() == _balanced_oracle(epoch, p, k, sampler)


@pytest.mark.parametrize("sampler", ["identities", "portions", "random_identity"])
def test_balanced_batch_has_equal_parts_and_the_first_dataset_one_more(sampler: str) -> None:
    """An epoch has as many batches as without balance; people differ within a batch."""
    for p, of_first in ((2, 1), (3, 2), (4, 2)):
        for epoch in range(5):
            batches = _balanced(0, epoch, p, 2, sampler)
            assert len(batches) == len(_batches(IDENTITIES, 0, epoch, p, 2, sampler))
            assert (DATASETS[batches] == 0).sum(1).tolist() == [2 * of_first] * len(batches)
            for row in IDENTITIES[batches].tolist():
                assert len(set(row)) == p
            assert batches.tolist() == _balanced(0, epoch, p, 2, sampler).tolist()


def test_proportional_mixing_samples_the_union_as_one_dataset() -> None:
    options = TrainingOptions(identities=2, images=2, sampler="portions")
    expected = epoch_batches(IDENTITIES, options, 0, 0).tolist()
    assert epoch_batches(IDENTITIES, options, 0, 0, DATASETS).tolist() == expected


def test_balanced_mixing_resumes_at_any_step() -> None:
    options = TrainingOptions(
        identities=2, images=2, epochs=3, sampler="random_identity", mixing="balanced"
    )
    whole = list(PKBatchSampler(IDENTITIES, options, 0, datasets=DATASETS))
    for step in range(len(whole)):
        rest = PKBatchSampler(IDENTITIES, options, 0, step, DATASETS)
        assert list(rest) == whole[step:]


def test_balanced_mixing_refuses_a_dataset_with_too_few_people() -> None:
    options = TrainingOptions(identities=5, mixing="balanced")
    with pytest.raises(InputError, match=r"found 2 identities .* at least the 3"):
        epoch_batches(IDENTITIES, options, 0, 0, 1 - DATASETS)
