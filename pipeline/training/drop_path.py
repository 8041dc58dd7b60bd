"""Drop path on a rank's part of the batch, with the random draws of the whole batch."""

from __future__ import annotations

from timm.layers import DropPath
from torch import Tensor, nn

from pipeline.ranks import Ranks


class PartOfDropPath(nn.Module):
    """timm's drop path for a rank; drops the images that one process would drop."""

    def __init__(self, whole: DropPath, ranks: Ranks, views: int) -> None:
        """Take the drop path of `whole` batches, which have `views` equal parts."""
        super().__init__()
        self.whole, self.ranks, self.views = whole, ranks, views

    def forward(self, values: Tensor) -> Tensor:
        """Drop images of (views b, ...)."""
        if not self.training:
            return values
        ones = values.new_ones(self.ranks.count * len(values), *[1] * (values.ndim - 1))
        factors = self.whole(ones).unflatten(0, (self.views, self.ranks.count, -1))
        return values * factors[:, self.ranks.number].flatten(0, 1)


def split_drop_path(backbone: nn.Module, ranks: Ranks, views: int) -> None:
    """Replace each drop path of the backbone by a `PartOfDropPath`."""
    for parent in list(backbone.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, DropPath):
                setattr(parent, name, PartOfDropPath(child, ranks, views))
