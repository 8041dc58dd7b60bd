"""The sections of a training run: image, backbone, model, augment, loss and training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.options.base import Fraction, LocalPath, Positive, Section, Sha256

Scale = Annotated[float, Field(gt=0)]


class ImageOptions(Section):
    """Size (pixels) and normalisation of the network's input."""

    height: Positive = 256
    width: Positive = 128
    mean: tuple[float, float, float] = Field(default=(0.5, 0.5, 0.5), strict=False)
    std: tuple[Scale, Scale, Scale] = Field(default=(0.5, 0.5, 0.5), strict=False)


class BackboneOptions(Section):
    """A timm vision transformer; null: timm's default."""

    name: str = "vit_base_patch16_224"
    patch_size: Positive = 16
    stride: Positive | None = None
    """Pixels from patch to patch: below `patch_size`, patches overlap; null: patch_size."""
    embed_dim: Positive | None = None
    depth: Positive | None = None
    num_heads: Positive | None = None
    mlp_ratio: float | None = None
    drop_path: Fraction = 0.1
    camera_embedding: Annotated[float, Field(ge=0)] = 0.0
    """Scale of the learned camera embedding that is added to the tokens; 0: off.

    Images from cameras without training images cannot be tested with it."""
    weights: LocalPath | None = None
    """A local file: safetensors, or a timm state dict without pickled objects."""
    sha256: Sha256 | None = None


class ModelOptions(Section):
    """DPEFormer's branches (arXiv 2402.10435)."""

    parts: Positive = 4
    """Number of horizontal stripes; if it does not divide the token rows, stripes share a row."""
    batch_norm: Literal["view", "joint"] = "view"
    """Batch norm statistics in training: of each view (released code; updates the running
    statistics once per view), or of both views together."""
    class_neck: bool = False
    """Whether the classifier of the class token and the feature `global` use a batch norm; false:
    both use the raw class token (released code)."""
    selection: Literal["none", "all", "dpsm"] = "dpsm"
    """Tokens of the patch-aware branch: none (no branch), all, or those that DPSM selects."""
    order: Literal["score", "raster", "stripe"] = "score"
    """How kept tokens are pooled: by descending score (paper), in raster order, or by stripe."""
    threshold: Literal["drop", "otsu"] = "drop"
    """Where to cut the sorted scores: before the largest drop (paper), or by Otsu's method."""
    similarity: Literal["dot", "cosine"] = "dot"
    proxy: Literal["patch", "class"] = "patch"
    """The token that scores the others: the patch nearest to the class token (paper), or the class
    token."""
    k_min: Positive = 48
    """Minimum number of kept tokens: 48 by the paper's text, 24 in the released code."""
    sparse_stripe: Literal["stripe", "kept"] = "stripe"
    """With order stripe, the feature of a stripe with too few kept tokens: the mean of all its
    tokens, or of all kept tokens."""
    fusion: Literal["none", "fbm", "addition", "concatenation"] = "fbm"
    """How the class token enters each part: not at all, by the feature blending module (paper), by
    addition, or by concatenation (which doubles the width of the test feature)."""


class ErasingOptions(Section):
    """Random erasing (Zhong et al., arXiv 1708.04896); the defaults are TransReID's."""

    probability: Fraction = 0.5
    min_area: Fraction = 0.02
    """Smallest erased fraction of the image; 0.05 in the released code."""
    max_area: Annotated[float, Field(gt=0, le=1)] = 1 / 3
    """Largest erased fraction of the image; 0.4 in the released code."""
    min_aspect: Annotated[float, Field(gt=0)] = 0.3
    """Smallest ratio of height to width."""
    max_aspect: Annotated[float, Field(gt=0)] = 1 / 0.3
    """Largest ratio of height to width."""
    fill: Literal["gaussian", "raw_gaussian", "mean", "noise"] = "gaussian"
    """gaussian: N(0, 1) after normalisation; raw_gaussian: N(0, 1) in units of white before
    normalisation (released code); mean: image.mean; noise: uniform pixels."""


class AugmentOptions(Section):
    """The two views of a training image."""

    resize: Literal["bicubic", "bilinear"] = "bicubic"
    """Interpolation of training views; test images are always resized bilinearly."""
    jitter_before_resize: bool = True
    """Whether colour jitter comes before the resize (released code) or after it."""
    colour_jitter: Fraction = 0.1
    flip: Fraction = 0.5
    pad: Annotated[int, Field(ge=0)] = 10
    """Pixels on each side before the random crop."""
    occlusion: Literal["none", "roa", "random_erasing", "cut_and_paste"] = "roa"
    """Occlusion of the second view; none: a second clean view."""
    erasing: ErasingOptions = ErasingOptions()
    """Options of occlusion random_erasing."""


class LossOptions(Section):
    """Weights of the losses; the defaults are the paper's."""

    contrast: Literal["none", "coarse", "blended", "both"] = "coarse"
    """Features with a contrastive loss, each with its own memory bank; coarse: paper."""
    temperature: Annotated[float, Field(gt=0)] = 0.05
    memory_momentum: Fraction = 0.2
    """Weight of the old centre in an update of the memory bank."""
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
    """Sampler of P x K batches. random_identity (TransReID): uniform over the identities with K
    images left, until fewer than P remain. portions: each identity once per K images that it has,
    spread over the epoch. identities: each identity once per epoch."""
    mixing: Literal["proportional", "balanced"] = Field(
        default="proportional",
        exclude_if=lambda mixing: mixing == "proportional",  # not in records of one dataset
    )
    """How several training datasets are mixed. proportional: sampled as one dataset. balanced: each
    batch has equally many identities of each; if `identities` is no multiple of their number, the
    first datasets have one more."""
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: Annotated[float, Field(gt=0)] = 0.008
    head_lr_factor: Annotated[float, Field(gt=0)] = 1.0
    """Learning rate of all parameters outside the backbone, as a multiple of `lr`."""
    bias_lr_factor: Annotated[float, Field(gt=0)] = 2.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0001
    momentum: Fraction = 0.9
    schedule: Literal["epoch", "step"] = "epoch"
    """Linear warm-up, then cosine. epoch (released code): updated each epoch by timm's
    CosineLRScheduler, whose cosine spans all epochs, warm-up included. step: updated each step; the
    cosine starts after the warm-up."""
    warmup_epochs: Annotated[float, Field(ge=0)] = 5.0
    warmup_start: Fraction = 0.01
    """First learning rate as a fraction of `lr`."""
    final_lr: Fraction = 0.002
    """Last learning rate as a fraction of `lr`."""
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay of the exponential moving average of the weights, which is the result; null: off."""

    def identities_of_each(self, datasets: int) -> list[int]:
        """Return how many identities of a batch each of `datasets` gives, with mixing balanced."""
        each, more = divmod(self.identities, datasets)
        return [each + (number < more) for number in range(datasets)]


class RunOptions(Section):
    """All options that affect the result of a training run, except data and seed."""

    image: ImageOptions = ImageOptions()
    backbone: BackboneOptions = BackboneOptions()
    model: ModelOptions = ModelOptions()
    augment: AugmentOptions = AugmentOptions()
    loss: LossOptions = LossOptions()
    training: TrainingOptions = TrainingOptions()

    def for_one_dataset(self) -> RunOptions:
        """Return the options without `training.mixing`, which has no effect on one dataset."""
        training = self.training.model_copy(update={"mixing": "proportional"})
        return self.model_copy(update={"training": training})


class TrainingNeeds(Section):
    """What the variants of a comparison together require of the data."""

    identities: int
    """Largest number of identities in a batch."""
    camera_embedding: bool
    """Whether a variant has a camera embedding, and cannot be tested on other cameras."""
    tested: bool
    """Whether the dataset is also the test set."""
