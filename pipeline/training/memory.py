"""The memory bank of the contrastive loss: one centre for each training identity.

DPEFormer, arXiv 2402.10435.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.options import LossOptions


class MemoryBank(nn.Module):
    """Centres (C, F) of length 1, a buffer: saved and moved with the module, never trained."""

    centres: Tensor

    def __init__(self, identities: int, width: int, options: LossOptions) -> None:
        """For C `identities` and features of `width` F; the centres are zero until `start`."""
        super().__init__()
        self.temperature = options.temperature
        self.momentum = options.memory_momentum
        self.register_buffer("centres", torch.zeros(identities, width))

    @torch.no_grad()
    def start(self, features: Tensor, labels: Tensor) -> None:
        """Set each centre to the mean of its identity's features (M, F), labels (M,) int64.

        Features count by their direction. An identity without features keeps a centre of zero.
        """
        sums = torch.zeros_like(self.centres)
        sums.index_add_(0, labels, functional.normalize(features.to(sums), dim=1))
        self.centres.copy_(functional.normalize(sums, dim=1))

    def loss(self, features: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy of the cosines of features (B, F) and centres over the temperature."""
        cosines = functional.normalize(features, dim=1) @ self.centres.t()  # (B, C)
        return functional.cross_entropy(cosines / self.temperature, labels)

    @torch.no_grad()
    def update(self, features: Tensor, labels: Tensor) -> None:
        """Move the centres towards the features (B, F) of their identities, in batch order.

        Each sample's centre becomes `momentum` old + (1 - momentum) feature, made length 1 again
        before the next sample. Samples of different identities do not meet, so all first ones of
        their identity are taken at once, then all second ones, and so on.
        """
        features = functional.normalize(features.to(self.centres), dim=1)
        occurrence = (labels[:, None] == labels[None]).tril(-1).sum(dim=1)  # (B,)
        for turn in range(int(occurrence.max()) + 1):
            now = occurrence == turn
            own = labels[now]
            moved = self.momentum * self.centres[own] + (1 - self.momentum) * features[now]
            self.centres[own] = functional.normalize(moved, dim=1)
