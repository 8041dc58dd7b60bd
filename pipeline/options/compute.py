"""The section `compute`: device, precision, memory and worker processes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.options.base import Positive, Section


class ComputeOptions(Section):
    """Device, precision, memory and worker processes; the workers do not affect the results."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of the backbone. auto: bfloat16 if the device supports it in hardware."""
    gpus: Positive = 1
    """Processes that share a training or an embedding, each with a GPU of this machine. Without a
    GPU, or with device cpu, they are CPU processes."""
    rank_timeout: Positive = 600
    """Seconds after which a training on several GPUs ends because a process does not answer."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that decode and augment images for each GPU; 0: the training process itself."""
    chunk: Positive | None = None
    """Images that the backbone takes at once in training, to save memory; null: both views of the
    batch. Activations are computed again for the backward pass; batch norm, losses and memory bank
    still see the whole batch."""
    compile: bool = False
    """Whether torch.compile makes kernels for the training steps, and on one GPU a CUDA graph of
    them. Takes a minute at the start; worth it in bfloat16 on a GPU."""
    checkpoint_steps: Positive = 2000
    """Steps between two checkpoints: the most that a killed training loses. ViT-B's checkpoint
    exceeds 1 GB; saving it more often takes over 1 % of the time."""
