"""The memory bank of the contrastive loss: one centre for each training identity.

DPEFormer, arXiv 2402.10435.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def contrasted_features(contrast: str) -> tuple[str, ...]:
    """Return the features with a memory bank, for `contrast` none, coarse, blended or both."""
    return {"none": (), "both": ("coarse", "blended")}.get(contrast, (contrast,))


class MemoryBank(nn.Module):
    """Centres (C, F), a buffer: saved and moved with the module, never trained.

    Only their directions count in the loss; their lengths weigh old against new in an update.
    """

    centres: Tensor

    def __init__(
        self, identities: int, width: int, temperature: float = 0.05, momentum: float = 0.2
    ) -> None:
        """For C `identities` and features of `width` F; the centres are zero until `start`."""
        super().__init__()
        self.temperature = temperature
        self.momentum = momentum
        self.register_buffer("centres", torch.zeros(identities, width))

    @torch.no_grad()
    def start(self, features: Tensor, labels: Tensor) -> None:
        """Set each centre to the mean of its identity's features (M, F), labels (M,) int64.

        An identity without features keeps a centre of zero.
        """
        sums = torch.zeros_like(self.centres).index_add_(0, labels, features.to(self.centres))
        counts = torch.bincount(labels, minlength=len(sums))
        self.centres.copy_(sums / counts.clamp(min=1)[:, None])

    def loss(self, features: Tensor, labels: Tensor) -> Tensor:
        """Compute the cross-entropy of cosines of features (B, F) and centres, over temperature."""
        centres = functional.normalize(self.centres, dim=1)
        cosines = functional.normalize(features, dim=1) @ centres.t()  # (B, C)
        return functional.cross_entropy(cosines / self.temperature, labels)

    @torch.no_grad()
    def update(self, features: Tensor, labels: Tensor) -> None:
        """Move the centres towards the features (B, F) of their identities, labels (B,) int64.

        In batch order, each sample makes its centre m old + (1 - m) feature, m being `momentum`.
        The rule is linear, so all samples are taken at once: one that n others of its identity
        follow ends with the weight (1 - m) m^n, and the old centre of c samples with m^c.
        """
        same = (labels[:, None] == labels).to(self.centres)  # (B, B)
        weights = (1 - self.momentum) * self.momentum ** same.triu(1).sum(dim=1)  # (B,)
        decay = torch.ones_like(self.centres[:, 0])
        decay[labels] = self.momentum ** same.sum(dim=1)
        new = weights[:, None] * features.to(self.centres)
        self.centres.mul_(decay[:, None]).index_add_(0, labels, new)
