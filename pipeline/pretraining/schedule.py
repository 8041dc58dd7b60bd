"""The learning rate of both pretrainings."""

from __future__ import annotations

import math


def warmup_cosine(progress: float, warmup: float) -> float:
    """Return the factor of the highest learning rate: a linear warm-up, then half a cosine to 0.

    `progress` and `warmup` are fractions of all steps.
    """
    if progress < warmup:
        return max(progress / warmup, 1e-3)
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))
