"""What a training run is told: image, backbone, model, augment, loss and training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.options.base import Fraction, LocalPath, Positive, Section, Sha256

Scale = Annotated[float, Field(gt=0)]


class ImageOptions(Section):
    """The network's input."""

    height: Positive = 256
    width: Positive = 128
    mean: tuple[float, float, float] = Field(default=(0.5, 0.5, 0.5), strict=False)
    std: tuple[Scale, Scale, Scale] = Field(default=(0.5, 0.5, 0.5), strict=False)


class BackboneOptions(Section):
    """A timm vision transformer; `null` keeps timm's own value."""

    name: str = "vit_base_patch16_224"
    patch_size: Positive = 16
    stride: Positive | None = None
    """Pixels from patch to patch: less than `patch_size` lets patches overlap; null: patch_size."""
    embed_dim: Positive | None = None
    depth: Positive | None = None
    num_heads: Positive | None = None
    mlp_ratio: float | None = None
    drop_path: Fraction = 0.1
    camera_embedding: Annotated[float, Field(ge=0)] = 0.0
    """Strength of what is learned of each camera and added to its images' tokens; 0: off.

    Images of a camera that training did not see then cannot be tested."""
    weights: LocalPath | None = None
    """A local file: safetensors, or a timm state dict without pickled objects."""
    sha256: Sha256 | None = None


class ModelOptions(Section):
    """DPEFormer's branches (arXiv 2402.10435)."""

    parts: Positive = 4
    """Horizontal stripes; where the rows of tokens do not divide by it, neighbours share a row."""
    batch_norm: Literal["view", "joint"] = "view"
    """Training statistics of the batch norms: of each view by itself, so that the running
    statistics are updated once a view (released code), or of both views together."""
    class_neck: bool = False
    """Whether the class token passes a batch norm before its classifier and as the feature
    `global`; false: both take the raw class token (released code)."""
    selection: Literal["none", "all", "dpsm"] = "dpsm"
    """Tokens of the patch-aware branch: none (no such branch), all of them, or chosen by DPSM."""
    order: Literal["score", "raster", "stripe"] = "score"
    """Kept tokens are pooled by falling score (paper), in raster order, or in their own stripe."""
    threshold: Literal["drop", "otsu"] = "drop"
    """Where to cut the sorted scores: before the largest drop (paper), or Otsu's two classes."""
    similarity: Literal["dot", "cosine"] = "dot"
    proxy: Literal["patch", "class"] = "patch"
    """Tokens are compared with the patch nearest to the class token (paper), or with that."""
    k_min: Positive = 48
    """At least so many tokens are kept: 48 reads the paper's text, the released code has 24."""
    sparse_stripe: Literal["stripe", "kept"] = "stripe"
    """With order stripe, what stands for a stripe with too few kept tokens: all of its own tokens,
    or the mean of all kept ones."""
    fusion: Literal["none", "fbm", "addition", "concatenation"] = "fbm"
    """How the class token gets into each part: not, by the feature blending module (paper), by
    adding it, or beside the part (which makes the test feature twice as wide)."""


class ErasingOptions(Section):
    """Random erasing (Zhong et al., arXiv 1708.04896); the defaults are TransReID's."""

    probability: Fraction = 0.5
    min_area: Fraction = 0.02
    """Smallest erased fraction of the image; the released code has 0.05."""
    max_area: Annotated[float, Field(gt=0, le=1)] = 1 / 3
    """Largest erased fraction of the image; the released code has 0.4."""
    min_aspect: Annotated[float, Field(gt=0)] = 0.3
    """Smallest height over width."""
    max_aspect: Annotated[float, Field(gt=0)] = 1 / 0.3
    """Largest height over width."""
    fill: Literal["gaussian", "raw_gaussian", "mean", "noise"] = "gaussian"
    """gaussian: N(0, 1) after normalisation; raw_gaussian: N(0, 1) of white before it (released
    code); mean: image.mean; noise: uniform pixels."""


class AugmentOptions(Section):
    """The two views of a training image."""

    resize: Literal["bicubic", "bilinear"] = "bicubic"
    """Of training views; features to test with always come from bilinear images."""
    jitter_before_resize: bool = True
    """Whether colours are jittered at the image's own size (released code), or after the resize."""
    colour_jitter: Fraction = 0.1
    flip: Fraction = 0.5
    pad: Annotated[int, Field(ge=0)] = 10
    """Pixels on each side before the random crop."""
    occlusion: Literal["none", "roa", "random_erasing", "cut_and_paste"] = "roa"
    """What hides a part of the second view; with none, it is a second clean view."""
    erasing: ErasingOptions = ErasingOptions()
    """Of occlusion random_erasing."""


class LossOptions(Section):
    """Weights of the losses; the defaults are the paper's."""

    contrast: Literal["none", "coarse", "blended", "both"] = "coarse"
    """Features that the contrastive loss pulls to a memory bank of their own; coarse: paper."""
    temperature: Annotated[float, Field(gt=0)] = 0.05
    memory_momentum: Fraction = 0.2
    """Fraction of the old centre that an update of the memory bank keeps."""
    occluded_contrast: Annotated[float, Field(ge=0)] = 0.3
    global_weight: Annotated[float, Field(ge=0)] = 2.0
    label_smoothing: Fraction = 0.0


class TrainingOptions(Section):
    """Batches, optimiser and schedule; the defaults are the paper's `sgd` recipe."""

    epochs: Positive = 120
    identities: Positive = 16
    """Identities in a batch."""
    images: Positive = 4
    """Images of each identity in a batch."""
    sampler: Literal["random_identity", "portions", "identities"] = "random_identity"
    """How an epoch is made of P x K batches. random_identity (TransReID): uniform over the
    identities that have K images left, until fewer than P have. portions: each identity once for
    every K images that it has, spread over the epoch. identities: each identity once."""
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: Annotated[float, Field(gt=0)] = 0.008
    head_lr_factor: Annotated[float, Field(gt=0)] = 1.0
    """Learning rate of everything but the backbone, as a multiple of `lr`."""
    bias_lr_factor: Annotated[float, Field(gt=0)] = 2.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0001
    momentum: Fraction = 0.9
    schedule: Literal["epoch", "step"] = "epoch"
    """Linear warm-up and cosine. epoch (released code): set once an epoch by timm's
    CosineLRScheduler, whose cosine spans all epochs and is entered after the warm-up. step: set at
    each step; the cosine begins where the warm-up ends."""
    warmup_epochs: Annotated[float, Field(ge=0)] = 5.0
    warmup_start: Fraction = 0.01
    """First learning rate as a fraction of `lr`."""
    final_lr: Fraction = 0.002
    """Last learning rate as a fraction of `lr`."""
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay of a running average of the weights, which is then the result; null: none is kept."""


class RunOptions(Section):
    """All that decides what a training run computes, but for its data and seed."""

    image: ImageOptions = ImageOptions()
    backbone: BackboneOptions = BackboneOptions()
    model: ModelOptions = ModelOptions()
    augment: AugmentOptions = AugmentOptions()
    loss: LossOptions = LossOptions()
    training: TrainingOptions = TrainingOptions()


class TrainingNeeds(Section):
    """What the variants of a comparison need of the data, all together."""

    identities: int
    """The most identities that a batch takes."""
    camera_embedding: bool
    """Whether a variant learns of each camera, and so can be tested on those alone."""
    tested: bool
    """Whether the dataset is also tested on."""
