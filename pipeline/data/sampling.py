"""The order of training: which images make up each batch of an epoch."""

from __future__ import annotations

import numpy as np

from pipeline.errors import InputError
from pipeline.options.run import TrainingOptions


def epoch_batches(
    identities: np.ndarray, options: TrainingOptions, seed: int, epoch: int
) -> np.ndarray:
    """Image indices of an epoch's batches, (steps, P * K) int64, as many in every epoch.

    `identities` (M,) holds the identity of each image, in any order. A batch holds
    P = `options.identities` different identities, each with K = `options.images` neighbouring
    entries: different images where the identity has that many, otherwise all of them in turn until
    the places are full. With `options.epoch_of` images, an identity comes once for every K images
    that it has, as in TransReID's sampler, but for what the batches cannot hold; with identities,
    each comes once, but for those left over when the last batch cannot be filled. The order follows
    from `seed` and `epoch` alone, so neither workers nor a restart change it. Raises InputError
    when there are fewer identities than a batch needs.
    """
    order = np.argsort(identities, kind="stable")
    starts = np.flatnonzero(np.diff(identities[order])) + 1
    groups = np.split(order, starts) if len(order) else []  # images of each identity
    if len(groups) < options.identities:
        raise InputError(
            f"training.identities: a batch takes {options.identities} identities, found "
            f"{len(groups)} in the training split: lower it"
        )
    draw = _each_once if options.epoch_of == "identities" else _all_images
    rng = np.random.default_rng([seed, epoch])
    picks = np.stack(draw(groups, options.identities, options.images, rng))
    return picks.reshape(-1, options.identities * options.images).astype(np.int64)


def _each_once(
    groups: list[np.ndarray], people: int, images: int, rng: np.random.Generator
) -> list[np.ndarray]:
    chosen = rng.permutation(len(groups))[: len(groups) // people * people]
    # np.resize repeats the permutation when the identity has too few images
    return [np.resize(rng.permutation(groups[group]), images) for group in chosen]


def _all_images(
    groups: list[np.ndarray], people: int, images: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Each identity's images in portions, and these spread over batches without repeating one."""
    turns = np.array([max(1, len(group) // images) for group in groups])
    portions = [
        np.resize(rng.permutation(group), (turn, images))
        for group, turn in zip(groups, turns, strict=True)
    ]
    steps = _steps(turns, people)
    left = _drop_surplus(np.minimum(turns, steps), people * steps, rng)
    picks: list[np.ndarray] = []
    for remaining in range(steps, 0, -1):
        # who has a portion for each remaining batch must be in this one
        due = np.flatnonzero(left == remaining)
        others = np.flatnonzero((left > 0) & (left < remaining))
        share = left[others] / left[others].sum() if len(others) else None
        drawn = rng.choice(others, people - len(due), replace=False, p=share)
        for group in rng.permutation(np.concatenate([due, drawn])):
            left[group] -= 1
            picks.append(portions[group][left[group]])
    return picks


def _steps(turns: np.ndarray, people: int) -> int:
    """The most batches of different `people` that can be filled."""
    steps = int(turns.sum()) // people
    while np.minimum(turns, steps).sum() < people * steps:
        steps -= 1
    return steps


def _drop_surplus(turns: np.ndarray, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """`turns` with as many taken away at random as leave `wanted` in all."""
    each = np.repeat(np.arange(len(turns)), turns)
    surplus = rng.choice(each, len(each) - wanted, replace=False)
    return turns - np.bincount(surplus, minlength=len(turns))
