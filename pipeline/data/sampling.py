"""The order of training: which images make up each batch of an epoch."""

from __future__ import annotations

import numpy as np

from pipeline.errors import InputError


def epoch_batches(
    identities: np.ndarray, seed: int, epoch: int, batch_identities: int, images: int
) -> np.ndarray:
    """Image indices of an epoch's batches, (steps, batch_identities * images) int64.

    `identities` (M,) holds the identity of each image, in any order. A batch holds
    `batch_identities` identities, each with `images` neighbouring entries: different images where
    the identity has that many, otherwise all of them in turn until the places are full. Every
    identity comes once an epoch, but for those left over when the last batch cannot be filled. The
    order follows from `seed` and `epoch` alone, so neither workers nor a restart change it. Raises
    InputError when there are fewer identities than a batch needs.
    """
    order = np.argsort(identities, kind="stable")
    starts = np.flatnonzero(np.diff(identities[order])) + 1
    groups = np.split(order, starts)  # images of each identity
    steps = len(groups) // batch_identities
    if steps == 0 or len(identities) == 0:
        found = len(groups) if len(identities) else 0
        raise InputError(
            f"training.identities: a batch takes {batch_identities} identities, found {found} in "
            "the training split: lower it"
        )
    rng = np.random.default_rng([seed, epoch])
    chosen = rng.permutation(len(groups))[: steps * batch_identities]
    # np.resize repeats the permutation when the identity has too few images
    picks = [np.resize(rng.permutation(groups[group]), images) for group in chosen]
    return np.stack(picks).reshape(steps, batch_identities * images).astype(np.int64)
