"""DPEFormer: a vision transformer with a coarse and a patch-aware branch (arXiv 2402.10435)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pipeline.model.backbone import Backbone, encode
from pipeline.model.cameras import CameraEmbedding
from pipeline.model.dpsm import Order, Selection, SparseStripe, pool_parts, select_tokens
from pipeline.model.fbm import FeatureBlending

CLASSIFIER_STD = 0.001
CLASSIFIERS = ("global_classifier", "coarse_classifier", "blended_classifier", "part_classifiers")
"""Modules of the training identities, which no feature depends on."""


class PooledTokens(NamedTuple):
    """What the heads take of the tokens of B images; the last two are None without DPSM."""

    class_token: Tensor
    """(B, D)"""
    stripes: Tensor
    """(B, P, D): the means of all tokens of each stripe."""
    parts: Tensor | None
    """(B, P, D): the means of the selected tokens of each part."""
    selection: Selection | None


class Features(NamedTuple):
    """Features of B images, float32; those of an absent branch are None."""

    global_: Tensor
    """(B, D): the class token, after batch norm with `class_neck`."""
    coarse: Tensor
    """(B, P D): the means of all tokens of each stripe, after batch norm."""
    parts: Tensor | None
    """(B, P, D): the blended parts, after batch norm; twice as wide with concatenation."""
    blended: Tensor | None
    """(B, P D): the concatenated blended parts, the feature to test with."""
    selection: Selection | None
    """The patch tokens that DPSM kept."""


class Logits(NamedTuple):
    """Scores of the C training identities."""

    global_: Tensor
    """(B, C)"""
    coarse: Tensor
    """(B, C)"""
    parts: Tensor | None
    """(B, P, C), by a classifier of each part."""
    blended: Tensor | None
    """(B, C)"""


class BatchNormNeck(nn.BatchNorm1d):
    """Batch norm between a feature and its classifier; its bias is frozen at zero (BNNeck)."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.bias.requires_grad_(False)

    def forward(self, features: Tensor, views: int = 1) -> Tensor:
        """Normalise (B, width); in training each of `views` equal parts of the batch by itself."""
        if not self.training or views == 1:
            return super().forward(features)
        normalise = super().forward
        return torch.cat([normalise(view) for view in features.chunk(views)])


class IdentityClassifier(nn.Linear):
    """A linear classifier without bias that starts near zero."""

    def __init__(self, width: int, identities: int) -> None:
        super().__init__(width, identities, bias=False)
        nn.init.normal_(self.weight, std=CLASSIFIER_STD)


class PartClassifiers(nn.Module):
    """An `IdentityClassifier` of each of the P parts, all at once."""

    def __init__(self, parts: int, width: int, identities: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(parts, identities, width))
        nn.init.normal_(self.weight, std=CLASSIFIER_STD)

    def forward(self, parts: Tensor) -> Tensor:
        """Logits (B, P, C) of the parts (B, P, D), each by its own classifier."""
        return torch.einsum("bpd,pcd->bpc", parts, self.weight)


class DPEFormer(nn.Module):
    """The network; an image's features do not depend on its batch in eval mode."""

    backbone: Backbone
    chunk: int | None = None
    """Images that the backbone takes at once in training (None: all); their activations are
    computed again in the backward pass, so that memory grows with the chunk, not with the batch."""
    gather: Callable[[Any, int], Any] | None = None
    """Joins the tokens of all processes that share a batch (`Ranks.gather`); None: there is one."""

    def __init__(
        self,
        backbone: Backbone,
        identities: int,
        parts: int = 4,
        selection: Literal["none", "all", "dpsm"] = "dpsm",
        fusion: Literal["none", "fbm", "addition", "concatenation"] = "fbm",
        order: Order = "score",
        sparse_stripe: SparseStripe = "stripe",
        class_neck: bool = False,
        batch_norm: Literal["view", "joint"] = "view",
        precision: str = "float32",
        camera_embedding: CameraEmbedding | None = None,
        **selecting: Any,
    ) -> None:
        """Add the branches to a `backbone` of `create_backbone`.

        `parts` to `batch_norm` are explained in `pipeline.options.run.ModelOptions`; `selecting`
        are options of `select_tokens`. The backbone computes in `precision` (float32 or bfloat16),
        the heads in float32. With a `camera_embedding`, `forward` needs the cameras.
        Raises InputError if the width of the backbone does not suit the fusion.
        """
        super().__init__()
        self.backbone = backbone
        self.parts, self.selection, self.fusion = parts, selection, fusion
        self.batch_norm = batch_norm
        self.precision = precision
        self.camera_embedding = camera_embedding
        self._selecting = selecting
        rows, width = backbone.patch_embed.grid_size[0], backbone.num_features
        self._pool = partial(
            pool_parts, rows=rows, parts=parts, order=order, sparse_stripe=sparse_stripe
        )
        self.global_neck = BatchNormNeck(width) if class_neck else None
        self.global_classifier = IdentityClassifier(width, identities)
        # batch norm is per channel: one over the concatenated parts is one per part
        self.coarse_neck = BatchNormNeck(parts * width)
        self.coarse_classifier = IdentityClassifier(parts * width, identities)
        if selection == "none":
            return
        if fusion == "fbm":
            self.blending = FeatureBlending(width, parts)
        blended_width = 2 * width if fusion == "concatenation" else width
        self.blended_neck = BatchNormNeck(parts * blended_width)
        self.blended_classifier = IdentityClassifier(parts * blended_width, identities)
        self.part_classifiers = PartClassifiers(parts, blended_width, identities)

    def forward(self, images: Tensor, cameras: Tensor | None = None, views: int = 1) -> Features:
        """Compute the features of normalised images (B, 3, H, W).

        `cameras` (B,) int64 are rows of the camera embedding; ignored without one. In training the
        batch has `views` equal parts, whose batch statistics `batch_norm` separates or joins.
        """
        shift = None if self.camera_embedding is None else self.camera_embedding(cameras)
        pooled = self._pool_tokens(*self._encode(images, shift))
        if self.gather and self.training:
            pooled = self.gather(pooled, views)
        class_token, stripes, parts, selection = pooled
        if self.batch_norm == "joint":
            views = 1
        global_ = self.global_neck(class_token, views) if self.global_neck else class_token
        coarse = self.coarse_neck(stripes.flatten(1), views)  # (B, P D)
        if self.selection == "none":
            return Features(global_, coarse, None, None, None)
        parts = stripes if parts is None else parts
        fused = self._fuse(parts, class_token)
        blended = self.blended_neck(fused.flatten(1), views)
        return Features(global_, coarse, blended.view_as(fused), blended, selection)

    def width_of(self, feature: str) -> int:
        """Return the width of the feature coarse or blended."""
        neck = self.coarse_neck if feature == "coarse" else self.blended_neck
        return neck.num_features

    def image_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the parameters that `gather` comes after: their gradients are of the own images."""
        yield from self.backbone.parameters()
        if self.camera_embedding is not None:
            yield from self.camera_embedding.parameters()

    def classify(self, features: Features) -> Logits:
        """Compute the identity logits of each feature present."""
        global_ = self.global_classifier(features.global_)
        coarse = self.coarse_classifier(features.coarse)
        if features.parts is None:
            return Logits(global_, coarse, None, None)
        parts = self.part_classifiers(features.parts)
        return Logits(global_, coarse, parts, self.blended_classifier(features.blended))

    def _encode(self, images: Tensor, shift: Tensor | None) -> tuple[Tensor, ...]:
        """Return the class token (B, D) and the patch tokens (B, N, D)."""
        if self.chunk is None or not self.training:
            return encode(self.backbone, images, self.precision, shift)
        shifts = [None] * len(images) if shift is None else shift.split(self.chunk)
        tokens = [
            checkpoint(encode, self.backbone, chunk, self.precision, added, use_reentrant=False)
            for chunk, added in zip(images.split(self.chunk), shifts, strict=False)
        ]
        return tuple(torch.cat(parts) for parts in zip(*tokens, strict=True))

    def _pool_tokens(self, class_token: Tensor, patch_tokens: Tensor) -> PooledTokens:
        """Select and average the tokens of each image, which no other image affects."""
        stripes = self._pool(patch_tokens, None)
        if self.selection != "dpsm":
            return PooledTokens(class_token, stripes, None, None)
        selection = select_tokens(class_token, patch_tokens, **self._selecting)
        return PooledTokens(class_token, stripes, self._pool(patch_tokens, selection), selection)

    def _fuse(self, parts: Tensor, class_token: Tensor) -> Tensor:
        """Fuse the class token (B, D) into the parts (B, P, D), as `fusion` says.

        (B, P, 2 D) with concatenation, otherwise (B, P, D).
        """
        if self.fusion == "none":
            return parts
        if self.fusion == "fbm":
            return self.blending(parts, class_token)
        class_tokens = class_token[:, None].expand_as(parts)
        if self.fusion == "addition":
            return parts + class_tokens
        return torch.cat([parts, class_tokens], dim=2)
