"""The section `compute`: where it runs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.options.base import Positive, Section


class ComputeOptions(Section):
    """Where it runs; not part of what is computed."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the backbone. auto: bfloat16 where the device is fast at it."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that decode and augment; 0: the training process itself."""
    checkpoint_steps: Positive = 2000
    """Steps between two checkpoints: a training that is killed loses at most so many. ViT-B's
    checkpoint is over 1 GB: more often, and saving costs more than a hundredth of the time."""
