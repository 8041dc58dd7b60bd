"""DPEFormer: a vision transformer with a coarse and a patch-aware branch (arXiv 2402.10435)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pipeline.model.backbone import Backbone, create_backbone, encode
from pipeline.model.cameras import CameraEmbedding
from pipeline.model.dpsm import Selection, pool_parts, select_tokens
from pipeline.model.fbm import FeatureBlending
from pipeline.options.run import ModelOptions, RunOptions

CLASSIFIER_STD = 0.001


class Features(NamedTuple):
    """What the network says of B images, float32; the patch-aware branch may be absent (None)."""

    global_: Tensor
    """(B, D): the class token, with `class_neck` after its batch norm."""
    coarse: Tensor
    """(B, P D): the stripes of all patch tokens, after batch norm."""
    parts: Tensor | None
    """(B, P, D): the blended parts, after batch norm; D is twice as wide with concatenation."""
    blended: Tensor | None
    """(B, P D): the blended parts side by side: the feature to test with."""
    selection: Selection | None
    """The patch tokens that DPSM kept."""


class Logits(NamedTuple):
    """Scores of the C training identities."""

    global_: Tensor
    """(B, C)"""
    coarse: Tensor
    """(B, C)"""
    parts: Tensor | None
    """(B, P, C): each part's own."""
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

    def __init__(
        self,
        backbone: Backbone,
        options: ModelOptions,
        identities: int,
        precision: str = "float32",
        camera_embedding: CameraEmbedding | None = None,
    ) -> None:
        """Put the branches on a `backbone` of `create_backbone`.

        `precision` (float32 or bfloat16) is the backbone's; all after it is float32. With a
        `camera_embedding` the network must be told the camera of each image.
        Raises InputError where the width of the backbone does not suit the fusion.
        """
        super().__init__()
        self.backbone = backbone
        self.options = options
        self.precision = precision
        self.camera_embedding = camera_embedding
        width, parts = backbone.num_features, options.parts
        self.global_neck = BatchNormNeck(width) if options.class_neck else None
        self.global_classifier = IdentityClassifier(width, identities)
        # batch norm is per channel, so one over all parts side by side is one per part
        self.coarse_neck = BatchNormNeck(parts * width)
        self.coarse_classifier = IdentityClassifier(parts * width, identities)
        if options.selection == "none":
            return
        if options.fusion == "fbm":
            self.blending = FeatureBlending(width, parts)
        blended_width = 2 * width if options.fusion == "concatenation" else width
        self.blended_neck = BatchNormNeck(parts * blended_width)
        self.blended_classifier = IdentityClassifier(parts * blended_width, identities)
        self.part_classifiers = PartClassifiers(parts, blended_width, identities)

    def forward(self, images: Tensor, cameras: Tensor | None = None, views: int = 1) -> Features:
        """Features of normalised images (B, 3, H, W).

        `cameras` (B,) int64 are rows of the camera embedding; ignored without one. In training the
        batch is `views` equal parts, and `options.batch_norm` decides which of them share batch
        statistics.
        """
        if self.options.batch_norm == "joint":
            views = 1
        shift = None if self.camera_embedding is None else self.camera_embedding(cameras)
        class_token, patch_tokens = encode(self.backbone, images, self.precision, shift)
        rows = self.backbone.patch_embed.grid_size[0]
        stripes = pool_parts(patch_tokens, None, self.options, rows)  # (B, P, D)
        global_ = self.global_neck(class_token, views) if self.global_neck else class_token
        coarse = self.coarse_neck(stripes.flatten(1), views)  # (B, P D)
        if self.options.selection == "none":
            return Features(global_, coarse, None, None, None)
        selection, parts = None, stripes
        if self.options.selection == "dpsm":
            selection = select_tokens(class_token, patch_tokens, self.options)
            parts = pool_parts(patch_tokens, selection, self.options, rows)
        fused = self._fuse(parts, class_token)
        blended = self.blended_neck(fused.flatten(1), views)
        return Features(global_, coarse, blended.view_as(fused), blended, selection)

    def width_of(self, feature: str) -> int:
        """Width of the feature coarse or blended."""
        neck = self.coarse_neck if feature == "coarse" else self.blended_neck
        return neck.num_features

    def classify(self, features: Features) -> Logits:
        """Identity logits of each feature that is there."""
        global_ = self.global_classifier(features.global_)
        coarse = self.coarse_classifier(features.coarse)
        if features.parts is None:
            return Logits(global_, coarse, None, None)
        parts = self.part_classifiers(features.parts)
        return Logits(global_, coarse, parts, self.blended_classifier(features.blended))

    def _fuse(self, parts: Tensor, class_token: Tensor) -> Tensor:
        """Parts (B, P, D) with the class token (B, D) in them, as `options.fusion` says.

        (B, P, 2 D) where the class token stands beside each part.
        """
        if self.options.fusion == "none":
            return parts
        if self.options.fusion == "fbm":
            return self.blending(parts, class_token)
        beside = class_token[:, None].expand_as(parts)
        if self.options.fusion == "addition":
            return parts + beside
        return torch.cat([parts, beside], dim=2)


def build_model(
    options: RunOptions,
    identities: int,
    pretrained: bool,
    precision: str = "float32",
    cameras: Sequence[int] = (),
) -> DPEFormer:
    """The network of a run, with a classifier for `identities` training identities.

    `cameras` are the numbers of the training cameras, for `options.backbone.camera_embedding`.
    With `pretrained` its backbone starts from `options.backbone.weights`; all else is drawn from
    torch's global generator. Raises InputError where the backbone cannot be made or filled.
    """
    backbone = create_backbone(options.backbone, options.image, pretrained)
    strength = options.backbone.camera_embedding
    embedding = CameraEmbedding(cameras, backbone.num_features, strength) if strength else None
    return DPEFormer(backbone, options.model, identities, precision, embedding)
