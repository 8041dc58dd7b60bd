"""Read the features file of a run and select its features."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from pipeline.data.names import SPLITS, TEST_SPLITS, WHOLE_QUERY
from pipeline.errors import InputError
from pipeline.evaluation.metrics import Labels, l2_normalise

FEATURES = ("blended", "coarse", "global", "blended_global", "coarse_global")
"""In the order of the tables; the first one that a variant has is its test feature."""
RERANKED = "_reranked"
"""Suffix of a feature's name in re-ranked rows."""
TABLE_FEATURES = tuple(name for plain in FEATURES for name in (plain, plain + RERANKED))
"""All rows that a table can have for a variant, in order."""
REQUIRED_ARRAYS = tuple(
    f"{split}_{name}"
    for split in TEST_SPLITS
    for name in ("keys", "identities", "cameras", "global")
)
"""Arrays that every features file has."""


def read_features(path: Path, feature: str | None = None) -> dict[str, np.ndarray]:
    """Read the arrays of a features file; see `pipeline.evaluation.embed.embed` for their names.

    With `feature`, one of `FEATURES`, others are not read: they can be gigabytes. Raises
    InputError for a file that is damaged or lacks one of `REQUIRED_ARRAYS`.
    """
    others = {*FEATURES} - {feature, (feature or "").removesuffix("_global"), "global"}
    ignored = {f"{split}_{name}" for split in SPLITS for name in others if feature}
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file if name not in ignored}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file: embed the run") from None
    except (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a features file ({error}): embed the run again") from None
    missing = [name for name in REQUIRED_ARRAYS if name not in arrays]
    if missing:
        raise InputError(
            f"{path}: expected the arrays {', '.join(REQUIRED_ARRAYS)}, found no "
            f"{', '.join(missing)}: embed the run again"
        )
    return arrays


def feature_names(arrays: dict[str, np.ndarray]) -> list[str]:
    """Return the features of the run in the order of `FEATURES`: its test feature first."""
    return [name for name in FEATURES if f"query_{name.removesuffix('_global')}" in arrays]


def has_whole_queries(arrays: dict[str, np.ndarray]) -> bool:
    """Return whether the dataset has whole-body queries besides the occluded ones."""
    return f"{WHOLE_QUERY}_keys" in arrays


def select_feature(arrays: dict[str, np.ndarray], split: str, name: str) -> np.ndarray:
    """Return the feature `name` of a split, (M, F) float32.

    `<part>_global` concatenates the part's feature and the global one, each of unit length.
    """
    if f"{split}_{name}" in arrays:
        return arrays[f"{split}_{name}"]
    part = name.removesuffix("_global")
    both = (arrays[f"{split}_{part}"], arrays[f"{split}_global"])
    return np.concatenate([l2_normalise(feature) for feature in both], axis=1)


def labels_of(arrays: dict[str, np.ndarray], split: str) -> Labels:
    """Return the identities and cameras of a split."""
    return Labels(arrays[f"{split}_identities"], arrays[f"{split}_cameras"])
