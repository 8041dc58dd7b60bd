"""Compare the features of an exported network with those of PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from pipeline.errors import InputError

Embed: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""Maps images (B, H, W, 3) RGB of the network's size, 0..255, to features (B, F) of unit length."""
TOLERANCE = 1e-5
"""Largest allowed difference of a feature's component; features have unit length."""
NOISE = 1e-3
"""Change of a pixel value, of 255, that may decide a tie of the token selection."""
TRIALS = 64
"""Random changes of an image that are tried."""


class Parity:
    """Compares the features of an exported network with those of PyTorch, batch by batch."""

    def __init__(self, torch: Embed, exported: Embed, name: str) -> None:
        """Take both networks; `name` is that of the exported one, for messages."""
        self._torch, self._exported, self._name = torch, exported, name
        self.images = 0
        self.largest_difference = 0.0
        """Largest difference of a component of any feature so far."""
        self.undecided: list[str] = []
        """Keys of images for which rounding decides the token selection, see `_nearest`."""

    def compare(self, images: np.ndarray, keys: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Embed images (B, H, W, 3) uint8 by PyTorch and by the exported network, both (B, F).

        Undecided images have the feature of PyTorch that is nearest to the exported network's.
        Raises InputError if two features of an image differ by more than `TOLERANCE`.
        """
        expected, found = self._torch(images), self._exported(images)
        if expected.shape != found.shape:
            raise refused(self._name, f"features {expected.shape}", str(found.shape))
        undecided = np.flatnonzero(~_agree(expected, found)).tolist()
        for i in undecided:
            expected[i] = self._nearest(expected[i], images[i], found[i])
        differences = np.abs(expected - found).max(axis=1)
        for i in np.flatnonzero(~_agree(expected, found)).tolist():
            raise refused(
                self._name,
                f"PyTorch's feature of image {keys[i]} within {TOLERANCE:g}",
                f"a difference of {differences[i]:.2g}",
            )
        self.images += len(images)
        self.undecided += [keys[i] for i in undecided]
        self.largest_difference = max(self.largest_difference, float(differences.max()))
        return expected, found

    def _nearest(self, expected: np.ndarray, image: np.ndarray, found: np.ndarray) -> np.ndarray:
        """Return the feature (F,) of an image (H, W, 3) by PyTorch that is nearest to `found` (F,).

        The candidates are `expected`, and the features of the image with pixel values changed by at
        most `NOISE`: where two scores are nearly equal, rounding decides which tokens are selected.
        """
        noise = np.random.default_rng(0).uniform(-NOISE, NOISE, (TRIALS, *image.shape))
        candidates = np.stack([expected, *self._torch(image + noise.astype(np.float32))])
        return candidates[np.abs(candidates - found).max(axis=1).argmin()]


def refused(name: str, expected: str, found: str) -> InputError:
    """Return the error for an exported network that differs from PyTorch."""
    return InputError(
        f"{name}: expected {expected}, found {found}; the model was removed: install the packages "
        "of envs/constraints.txt and export again, or report it"
    )


def _agree(expected: np.ndarray, found: np.ndarray) -> np.ndarray:
    """(B,) bool: whether the features (B, F) agree; NaN agrees with nothing."""
    return np.abs(expected - found).max(axis=1) <= TOLERANCE
