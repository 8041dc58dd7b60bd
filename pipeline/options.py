"""The sections of the configuration: what each stage can be told, typed and checked.

Each stage gets the one section that it needs: it reruns when that changes, and not otherwise.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern="^[a-z0-9_]+$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")]
"""A file's name, or that of a folder and of a file in it."""


class Section(BaseModel):
    """A part of the configuration: unknown keys and wrong types are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


DatasetName = Literal[
    "synthetic",
    "market1501",
    "dukemtmc_reid",
    "occluded_duke",
    "occluded_reid",
    "p_dukemtmc",
    "partial_reid_partial",
    "partial_reid_occluded",
    "partial_ilids",
    "msmt17_train",
    "msmt17_trainval",
    "cuhk03_detected",
    "cuhk03_labeled",
    "folder",
]


class SplitCounts(Section):
    """What a split of a dataset must hold."""

    identities: int
    images: int


class DataOptions(Section):
    """The dataset that is trained on and evaluated."""

    dataset: DatasetName = "synthetic"
    """`synthetic` is drawn by the workflow; the others are read from `archive`. A protocol that
    changes numbers (which queries, which training images, which boxes) is part of the name."""
    archive: str | None = None
    """What a dataset's authors hand out: a zip, tar or tar.gz, or the folder unpacked from it."""
    lists: str | None = None
    """Of occluded_duke: the folder with the author's train.list, query.list and gallery.list, by
    which it is made from DukeMTMC-reID; null: `archive` is made so already."""
    checks: Literal["error", "warn"] = "error"
    """What to do when counts differ from the published ones or an identity has a single image."""


class DownloadOptions(Section):
    """A file to fetch: one of your own, or another address of one that is known by name."""

    url: Annotated[str, Field(pattern="^https?://")]
    sha256: Sha256 | None = None
    """Checked before use; null: what is known of the file, else a warning says what was found."""


class BenchmarkOptions(Section):
    """The synthetic pedestrians: like Occluded-Duke, every query is occluded."""

    seed: Annotated[int, Field(ge=0)] = 0
    cameras: Annotated[int, Field(ge=2, le=9)] = 6
    """Market-1501's file names have one digit for the camera."""
    obstacles: Positive = 8
    """Standing objects in all; most of them stand in several cameras."""
    obstacles_per_camera: Positive = 3
    train_identities: Positive = 150
    train_images: Positive = 10
    """Images of each training identity."""
    train_occluded: Share = 0.07
    test_identities: Positive = 200
    gallery_only_identities: Annotated[int, Field(ge=0)] = 50
    gallery_images: Positive = 4
    """Images of each gallery identity, each of another camera."""
    gallery_occluded: Share = 0.13
    queries_per_identity: Positive = 2
    person_occluders: Share = 0.35
    """Share of the occlusions that are another person; the rest are the camera's obstacles."""
    junk_images: Annotated[int, Field(ge=0)] = 40
    distractor_images: Annotated[int, Field(ge=0)] = 60


class SceneOptions(Section):
    """The drawn scenes that SAM cuts occluders out of."""

    count: Positive = 240
    size: Positive = 256
    """Width and height in pixels."""
    seed: Annotated[int, Field(ge=0)] = 1


class SamOptions(Section):
    """Which Segment Anything Model."""

    model: Literal["small", "vit_b", "vit_l", "vit_h"] = "small"
    checkpoint: str = "workflow/weights/small_sam.safetensors"
    sha256: Sha256 | None = None
    """Checked before use; the official checkpoints are checked by their published MD5 besides."""


class GeneratorOptions(Section):
    """The automatic mask generator of segment-anything; loose, the filters below decide."""

    points_per_side: Positive = 10
    predicted_iou: Share = 0.6
    stability: Share = 0.5
    stability_offset: Annotated[float, Field(gt=0)] = 0.5
    box_nms: Share = 0.7


class FilterOptions(Section):
    """Which masks become occluders. Areas are shares of the source image."""

    min_area: Share = 0.01
    max_area: Share = 0.4
    max_aspect: Annotated[float, Field(ge=1)] = 6.0
    """Longer side over shorter side of the mask's box."""
    max_border: Share = 0.2
    """Share of the mask's outline that lies on the image border: cut-off objects."""
    predicted_iou: Share = 0.8
    stability: Share = 0.7
    duplicate_iou: Share = 0.7
    """Of two masks of one image that overlap more than this, the better one is kept."""


class SourceOptions(Section):
    """Which images occluders are cut out of."""

    limit: Positive | None = None
    """At most so many images, drawn by `seed`; null: all of them."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the draws of images and of masks; a higher limit keeps what a lower one drew."""
    on_corrupt: Literal["stop", "list"] = "stop"
    """An image that cannot be read, or whose masks cannot: stop with the names of all such images,
    or leave them out and list them in the bank's summary.json."""


class BankOptions(Section):
    """Which masks become occluders, and how many."""

    filters: FilterOptions = FilterOptions()
    minimum: Positive = 300
    """A bank with fewer objects is an error."""
    maximum: Positive | None = None
    """At most so many objects, drawn by `seed` from those that pass the filters; null: all."""
    longest_side: Positive | None = None
    """Pixels; larger cut-outs are scaled down, for training holds the whole bank in memory. null:
    as they were cut out."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the draws of images and of masks; a higher maximum keeps what a lower one drew."""


class OccluderOptions(SourceOptions, BankOptions):
    """The occluder mask bank."""

    images: str | None = None
    """A folder of natural images without people of the dataset; null: scenes are drawn."""
    masks: Literal["sam", "sa1b"] = "sam"
    """Found by SAM, or `images` is a folder of SA-1B: sa_<n>.jpg has its own in sa_<n>.json."""
    scenes: SceneOptions = SceneOptions()
    sam: SamOptions = SamOptions()
    generator: GeneratorOptions = GeneratorOptions()

    def source_options(self) -> SourceOptions:
        """The part that decides which images are read."""
        return SourceOptions.model_validate(
            self.model_dump(include=set(SourceOptions.model_fields))
        )

    def bank_options(self) -> BankOptions:
        """The part that decides which masks are kept."""
        return BankOptions.model_validate(self.model_dump(include=set(BankOptions.model_fields)))


class ImageOptions(Section):
    """The network's input."""

    height: Positive = 256
    width: Positive = 128
    mean: tuple[float, float, float] = Field(default=(0.5, 0.5, 0.5), strict=False)
    std: tuple[float, float, float] = Field(default=(0.5, 0.5, 0.5), strict=False)


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
    drop_path: Share = 0.1
    camera_embedding: Annotated[float, Field(ge=0)] = 0.0
    """Strength of what is learned of each camera and added to its images' tokens; 0: off.

    Images of a camera that training did not see then cannot be tested."""
    weights: str | None = None
    """A local file: safetensors, or a timm state dict without pickled objects."""
    sha256: Sha256 | None = None

    def grid(self, image: ImageOptions) -> tuple[int, int]:
        """Rows and columns of patch tokens of an image; a last patch that is cut off is none."""
        stride = self.stride or self.patch_size
        rows, columns = (
            max(0, (side - self.patch_size) // stride + 1) for side in (image.height, image.width)
        )
        return rows, columns


class ModelOptions(Section):
    """DPEFormer's branches (arXiv 2402.10435)."""

    parts: Positive = 4
    """Horizontal stripes; where the rows of tokens do not divide by it, neighbours share a row."""
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
    """At least so many tokens are kept."""
    sparse_stripe: Literal["stripe", "kept"] = "stripe"
    """With order stripe, what stands for a stripe with too few kept tokens: all of its own tokens,
    or the mean of all kept ones."""
    fusion: Literal["none", "fbm", "addition", "concatenation"] = "fbm"
    """How the class token gets into each part: not, by the feature blending module (paper), by
    adding it, or beside the part (which makes the test feature twice as wide)."""


class AugmentOptions(Section):
    """The two views of a training image."""

    colour_jitter: Share = 0.1
    flip: Share = 0.5
    pad: Annotated[int, Field(ge=0)] = 10
    """Pixels on each side before the random crop."""
    occlusion: Literal["none", "roa", "random_erasing", "cut_and_paste"] = "roa"
    """What hides a part of the second view; with none, it is a second clean view."""


class LossOptions(Section):
    """Weights of the losses; the defaults are the paper's."""

    contrast: Literal["none", "coarse", "blended", "both"] = "coarse"
    """Features that the contrastive loss pulls to a memory bank of their own; coarse: paper."""
    temperature: Annotated[float, Field(gt=0)] = 0.05
    memory_momentum: Share = 0.2
    """Share of the old centre that an update of the memory bank keeps."""
    occluded_contrast: Annotated[float, Field(ge=0)] = 0.3
    global_weight: Annotated[float, Field(ge=0)] = 2.0
    label_smoothing: Share = 0.0


class TrainingOptions(Section):
    """Batches, optimiser and schedule; the defaults are the paper's `sgd` recipe."""

    epochs: Positive = 120
    identities: Positive = 16
    """Identities in a batch."""
    images: Positive = 4
    """Images of each identity in a batch."""
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: Annotated[float, Field(gt=0)] = 0.008
    head_lr_factor: Annotated[float, Field(gt=0)] = 1.0
    """Learning rate of everything but the backbone, as a multiple of `lr`."""
    bias_lr_factor: Annotated[float, Field(gt=0)] = 2.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0001
    momentum: Share = 0.9
    warmup_epochs: Annotated[float, Field(ge=0)] = 5.0
    warmup_start: Share = 0.01
    """First learning rate as a share of `lr`."""
    final_lr: Share = 0.002
    """Last learning rate as a share of `lr`."""
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay of a running average of the weights, which is then the result; null: none is kept."""


class ComputeOptions(Section):
    """Where it runs; not part of what is computed."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the backbone. auto: bfloat16 where the device is fast at it."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that decode and augment; 0: the training process itself."""


class FigureOptions(Section):
    """Which queries the pictures of single images show: ranks, kept patches, attention."""

    queries: Annotated[list[str], Field(min_length=1)] | None = None
    """Keys of query images; null: the best and the worst ones, by AP (ranks: its gain)."""
    count: Annotated[int, Field(ge=2)] = 6
    """How many are chosen when none are given; half of them from either end."""


class RunOptions(Section):
    """All that decides what a training run computes, but for its data and seed."""

    image: ImageOptions = ImageOptions()
    backbone: BackboneOptions = BackboneOptions()
    model: ModelOptions = ModelOptions()
    augment: AugmentOptions = AugmentOptions()
    loss: LossOptions = LossOptions()
    training: TrainingOptions = TrainingOptions()


class IngestOptions(Section):
    """What ingest needs to know of a dataset."""

    dataset: DatasetName
    checks: Literal["error", "warn"] = "error"
    expected: dict[str, SplitCounts] | None = None
    """Counts of each split where the dataset's own facts do not say."""


class FetchOptions(Section):
    """What fetching needs to know of a file."""

    url: str
    digest: Annotated[str, Field(pattern="^(md5|sha256):[0-9a-f]{8,64}$")] | None = None
    """Algorithm and hash; the first digits are enough. null: none is known."""
    confirmed: bool = True
    """Whether a file with another hash is refused; else a warning says so."""
    terms: str = ""
    """What its publisher asks of those who use it."""
