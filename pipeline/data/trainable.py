"""Whether shards hold what every variant of a comparison asks for: each training looks first."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipeline.data.names import TEST_SPLITS
from pipeline.data.shards import INDEX
from pipeline.errors import InputError, no_images, some, too_few_identities
from pipeline.options.run import TrainingNeeds


def check_trainable(shards: Path, needs: TrainingNeeds) -> None:
    """Raise InputError where one of the compared variants could not be trained or tested.

    That is without training images, without query or gallery where they are tested on, with fewer
    identities than a batch takes and, with camera embedding, with test images from cameras that
    training does not see.
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
            f"{shards}: expected test images of the training's cameras {some(sorted(known))} only, "
            f"for backbone.camera_embedding knows no others, found those of {some(unknown)}: give "
            "backbone.camera_embedding 0"
        )
