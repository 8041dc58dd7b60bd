"""The sampler: which images make up each batch of an epoch."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

import numpy as np

from pipeline.errors import InputError, too_few_identities
from pipeline.options.run import TrainingOptions

SampleKey = tuple[int, int, int]
"""Epoch, position in the epoch, image index: with the seed, they determine the augmentation."""


class PKBatchSampler:
    """Sample the batches of all epochs, each P identities x K images, from `first_step` on."""

    def __init__(
        self,
        labels: np.ndarray,
        options: TrainingOptions,
        seed: int,
        first_step: int = 0,
        datasets: np.ndarray | None = None,
    ) -> None:
        """Take the labels (M,) int64 of the images; `first_step` counts over all epochs.

        `datasets` are those of `epoch_batches`.
        """
        self._labels = labels
        self._datasets = datasets
        self._options = options
        self._seed = seed
        self._first_step = first_step
        self._ends = list(accumulate(self._lengths()))

    def _lengths(self) -> list[int]:
        """Count the batches of each epoch; they differ only with random_identity."""
        if self._options.sampler == "random_identity":
            return [len(self._batches(epoch)) for epoch in range(self._options.epochs)]
        return [len(self._batches(0))] * self._options.epochs

    def __len__(self) -> int:
        """Count the steps of all epochs."""
        return self._ends[-1]

    def __iter__(self) -> Iterator[list[SampleKey]]:
        first_epoch, skipped = self.locate(self._first_step)
        for epoch in range(first_epoch, self._options.epochs):
            for step, batch in enumerate(self._batches(epoch).tolist()):
                if step >= skipped:
                    first = step * len(batch)
                    yield [(epoch, first + i, index) for i, index in enumerate(batch)]
            skipped = 0

    def locate(self, step: int) -> tuple[int, int]:
        """Return the epoch of a step counted over all epochs, and its index in that epoch."""
        epoch = bisect_right(self._ends, step)
        return epoch, step - (self._ends[epoch - 1] if epoch else 0)

    def steps(self, epoch: int) -> int:
        """Count the batches of an epoch."""
        return self._ends[epoch] - (self._ends[epoch - 1] if epoch else 0)

    def _batches(self, epoch: int) -> np.ndarray:
        return epoch_batches(self._labels, self._options, self._seed, epoch, self._datasets)


def epoch_batches(
    identities: np.ndarray,
    options: TrainingOptions,
    seed: int,
    epoch: int,
    datasets: np.ndarray | None = None,
) -> np.ndarray:
    """Sample the image indices of an epoch's batches, (steps, P * K) int64.

    `identities` (M,) holds the identity of each image, in any order. A batch holds
    P = `options.identities` different identities, each with K = `options.images` neighbouring
    entries. `options.sampler` selects the method; with random_identity the number of batches
    differs between epochs. The order depends on `seed` and `epoch` alone, not on workers or a
    restart. Raises InputError if there are fewer identities than a batch needs.

    With `options.mixing` balanced, `datasets` (M,) int64 holds the dataset of each image, which all
    images of an identity share (see `_balanced`).
    """
    groups = _group(identities)
    rng = np.random.default_rng([seed, epoch])
    batches = _sample(groups, options.identities, options, rng)
    if options.mixing == "balanced" and datasets is not None:
        of_groups = np.array([datasets[group[0]] for group in groups])
        batches = _balanced(groups, of_groups, options, len(batches), rng)
    return batches.reshape(len(batches), -1).astype(np.int64)


def _group(identities: np.ndarray) -> list[np.ndarray]:
    """Return the indices of each identity's images, by ascending identity."""
    order = np.argsort(identities, kind="stable")
    starts = np.flatnonzero(np.diff(identities[order])) + 1
    return np.split(order, starts) if len(order) else []


def _sample(
    groups: list[np.ndarray], people: int, options: TrainingOptions, rng: np.random.Generator
) -> np.ndarray:
    """Sample an epoch's batches of `people` identities each, (steps, people, K)."""
    if len(groups) < people:
        raise InputError(too_few_identities(people, len(groups)))
    picks = _SAMPLERS[options.sampler](groups, people, options.images, rng)
    return picks.reshape(-1, people, options.images)


def _balanced(
    groups: list[np.ndarray],
    datasets: np.ndarray,
    options: TrainingOptions,
    steps: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Sample `steps` batches with equally many identities of each dataset, (steps, P, K).

    The dataset of each group is in `datasets` (G,). If the datasets do not divide P, the first
    ones have one identity more. `steps` are those of an epoch without balance. Each dataset has a
    random generator of its own, and starts again when all its batches are used.
    """
    parts = []
    numbers = np.unique(datasets)
    shares = options.identities_of_each(len(numbers))
    for number, people, own_rng in zip(numbers, shares, rng.spawn(len(numbers)), strict=True):
        own = [groups[i] for i in np.flatnonzero(datasets == number)]
        rounds: list[np.ndarray] = []
        while sum(map(len, rounds)) < steps:
            rounds.append(_sample(own, people, options, own_rng))
        parts.append(np.concatenate(rounds)[:steps])
    return np.concatenate(parts, axis=1)


def _random_identity(
    groups: list[np.ndarray], people: int, images: int, rng: np.random.Generator
) -> np.ndarray:
    """Sample as TransReID's RandomIdentitySampler (its datasets/sampler.py).

    Each identity's shuffled images are cut into portions of K; an identity with fewer images is
    sampled with replacement. A batch takes one portion each of P identities, uniformly among those
    that have one left.
    """
    each = [_portions(group, images, rng) for group in groups]
    portions, left = np.concatenate(each), np.array([len(portion) for portion in each])
    ends, available = np.cumsum(left), np.flatnonzero(left)
    picks: list[np.ndarray] = []
    while len(available) >= people:
        places = rng.choice(len(available), people, replace=False)
        chosen = available[places]
        picks.append(ends[chosen] - left[chosen])
        left[chosen] -= 1
        if not left[chosen].all():
            available = np.delete(available, places[left[chosen] == 0])
    return portions[np.concatenate(picks)]


def _portions(group: np.ndarray, images: int, rng: np.random.Generator) -> np.ndarray:
    """Cut an identity's images into random portions (T, K); a remainder is left out."""
    if len(group) < images:
        return rng.choice(group, (1, images))
    return rng.permutation(group)[: len(group) // images * images].reshape(-1, images)


def _each_once(
    groups: list[np.ndarray], people: int, images: int, rng: np.random.Generator
) -> np.ndarray:
    """Take each identity once; leave out those that do not fill a last batch."""
    chosen = rng.permutation(len(groups))[: len(groups) // people * people]
    # np.resize repeats the permutation when the identity has too few images
    return np.stack([np.resize(rng.permutation(groups[group]), images) for group in chosen])


def _spread_portions(
    groups: list[np.ndarray], people: int, images: int, rng: np.random.Generator
) -> np.ndarray:
    """Take each identity once per K images, spread over batches without repeats.

    An identity with fewer images has one portion, which repeats them in turn.
    """
    turns = np.array([max(1, len(group) // images) for group in groups])
    portions = [
        np.resize(rng.permutation(group), (turn, images))
        for group, turn in zip(groups, turns, strict=True)
    ]
    steps = _steps(turns, people)
    left = _drop_surplus(np.minimum(turns, steps), people * steps, rng)
    picks: list[np.ndarray] = []
    for remaining in range(steps, 0, -1):
        # an identity with a portion for each remaining batch must be in this one
        due = np.flatnonzero(left == remaining)
        others = np.flatnonzero((left > 0) & (left < remaining))
        chances = left[others] / left[others].sum() if len(others) else None
        sampled = rng.choice(others, people - len(due), replace=False, p=chances)
        for group in rng.permutation(np.concatenate([due, sampled])):
            left[group] -= 1
            picks.append(portions[group][left[group]])
    return np.stack(picks)


def _steps(turns: np.ndarray, people: int) -> int:
    """Return the largest number of batches of `people` different identities each."""
    steps = int(turns.sum()) // people
    while np.minimum(turns, steps).sum() < people * steps:
        steps -= 1
    return steps


def _drop_surplus(turns: np.ndarray, total: int, rng: np.random.Generator) -> np.ndarray:
    """Decrease random entries of `turns` until their sum is `total`."""
    each = np.repeat(np.arange(len(turns)), turns)
    surplus = rng.choice(each, len(each) - total, replace=False)
    return turns - np.bincount(surplus, minlength=len(turns))


_SAMPLERS = {
    "random_identity": _random_identity,
    "portions": _spread_portions,
    "identities": _each_once,
}
