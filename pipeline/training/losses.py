"""The training loss: identity terms of every branch and contrast with the memory bank.

DPEFormer, arXiv 2402.10435.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.model.dpeformer import Features, Logits
from pipeline.training.memory import MemoryBank


def training_loss(
    clean: Features,
    occluded: Features,
    clean_logits: Logits,
    occluded_logits: Logits,
    labels: Tensor,
    memories: Mapping[str, MemoryBank],
    global_weight: float = 2.0,
    second_weight: float = 0.3,
    label_smoothing: float = 0.0,
) -> dict[str, Tensor]:
    """Compute the loss of two views of B images with labels (B,) int64: "total" and its terms.

    total = mean of identity_coarse and identity_blended + `global_weight` identity_global
    + identity_parts + contrast_coarse_clean + `second_weight` contrast_coarse_second. Each identity
    term is the mean cross-entropy over both views (and over the parts). Terms of absent branches
    are left out. `memories` has a bank for each contrasted feature (coarse in the paper). Scalars.
    """
    losses = _identity_losses((clean_logits, occluded_logits), labels, label_smoothing)
    whole = [losses[name] for name in ("identity_coarse", "identity_blended") if name in losses]
    total = torch.stack(whole).mean() + global_weight * losses["identity_global"]
    if "identity_parts" in losses:
        total = total + losses["identity_parts"]
    for name, memory in memories.items():
        first, second = (memory.loss(getattr(view, name), labels) for view in (clean, occluded))
        losses |= {f"contrast_{name}_clean": first, f"contrast_{name}_second": second}
        total = total + first + second_weight * second
    return {"total": total} | losses


def _identity_losses(
    views: tuple[Logits, Logits], labels: Tensor, smoothing: float
) -> dict[str, Tensor]:
    """Compute identity_<branch>, the mean cross-entropy over the views, for each branch present."""
    losses = {}
    for branch in Logits._fields:
        logits = [getattr(view, branch) for view in views]
        if logits[0] is not None:
            terms = [_cross_entropy(view, labels, smoothing) for view in logits]
            losses[f"identity_{branch.rstrip('_')}"] = torch.stack(terms).mean()
    return losses


def _cross_entropy(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Average over the images, and over the parts of (B, P, C)."""
    if logits.ndim == 3:
        labels = labels.repeat_interleave(logits.shape[1])
        logits = logits.flatten(0, 1)  # (B P, C)
    return functional.cross_entropy(logits, labels, label_smoothing=smoothing)
