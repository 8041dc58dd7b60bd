"""Check, before each training, that the shards fit every variant of the comparison."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipeline.data.names import TEST_SPLITS
from pipeline.data.shards import INDEX
from pipeline.errors import InputError, no_images, some, too_few_identities
from pipeline.options.run import TrainingNeeds


def check_trainable(shards: Path, needs: TrainingNeeds) -> None:
    """Raise InputError if one of the compared variants cannot be trained or tested.

    This is the case without training images, without query or gallery if the dataset is tested on,
    with fewer identities than a batch takes and, with camera embedding, if the test images have
    cameras that the training images lack.
    """
    table = pd.read_csv(shards / INDEX, dtype={"shard": "str"})
    split = table["shard"].str.rpartition("-")[0]
    train, test = table[split == "train"], table[split != "train"]
    if train.empty:
        raise InputError(f"{shards}: {no_images(['train'])}")
    if needs.tested and (empty := [name for name in TEST_SPLITS if name not in set(split)]):
        raise InputError(f"{shards}: {no_images(empty)}")
    identities = train["identity"].nunique()
    if identities < needs.identities:
        raise InputError(f"{shards}: {too_few_identities(needs.identities, identities)}")
    known = set(train["camera"])
    if needs.camera_embedding and (unknown := sorted(set(test["camera"]) - known)):
        raise InputError(
            f"{shards}: found test cameras {some(unknown)}, expected the training cameras "
            f"{some(sorted(known))} only: set backbone.camera_embedding to 0"
        )
