"""The section `occluders`: the mask bank."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.options.base import Fraction, LocalPath, Positive, Section, Seed, Sha256, with_suffix
from pipeline.options.rendered import SceneOptions


class SamOptions(Section):
    """The Segment Anything Model that segments the occluders."""

    model: Literal["small", "vit_b", "vit_l", "vit_h"] = "small"
    checkpoint: LocalPath = "workflow/weights/small_sam.safetensors"
    sha256: Sha256 | None = None
    """Verified before use, in addition to the published MD5 of the official checkpoints."""


class GeneratorOptions(Section):
    """segment-anything's automatic mask generator; permissive, because the filters select."""

    points_per_side: Positive = 10
    predicted_iou: Fraction = 0.6
    stability: Fraction = 0.5
    stability_offset: Annotated[float, Field(gt=0)] = 0.5
    box_nms: Fraction = 0.7


class FilterOptions(Section):
    """Which masks become occluders; areas are fractions of the source image."""

    min_area: Fraction = 0.01
    max_area: Fraction = 0.4
    max_aspect: Annotated[float, Field(ge=1)] = 6.0
    """Longer over shorter side of the mask's bounding box."""
    max_border: Fraction = 0.2
    """Fraction of the mask's outline on the image border; excludes truncated objects."""
    predicted_iou: Fraction = 0.6
    stability: Fraction = 0.7
    duplicate_iou: Fraction = 0.7
    """IoU above which two masks of one image are duplicates; the better one is kept."""


class CocoOptions(Section):
    """The annotations of the images, for masks: coco."""

    annotations: LocalPath | None = None
    """File of instance annotations in COCO's format, such as instances_val2017.json."""
    categories: Annotated[list[str], Field(min_length=1)] | None = None
    """Names of the categories whose objects are cut out; null: all."""


class SourceOptions(Section):
    """The images that occluders are cut out of."""

    limit: Positive | None = None
    """Maximum number of images, sampled with `seed`; null: all."""
    seed: Seed = 0
    """Random seed for sampling images and masks; a higher limit keeps the sample of a lower one."""
    on_corrupt: Literal["stop", "list"] = "stop"
    """Unreadable images or masks: stop and name them all, or ignore these images and list them in
    the bank's summary.json."""


class BankOptions(Section):
    """Which masks become occluders, and how many."""

    filters: FilterOptions = FilterOptions()
    minimum: Positive = 200
    """A bank with fewer objects is an error."""
    maximum: Positive | None = None
    """Maximum number of objects, sampled with `seed` after the filters; null: all."""
    longest_side: Positive | None = None
    """Pixels; larger cut-outs are scaled down, because training keeps the bank in memory. null:
    original size."""
    seed: Seed = 0
    """Random seed for sampling images and masks; a higher maximum keeps the sample of a lower
    one."""


class OccluderOptions(SourceOptions, BankOptions):
    """The occluder mask bank."""

    images: LocalPath | None = None
    """Folder of natural images without people of the dataset; null: synthetic scenes."""
    masks: Literal["sam", "sa1b", "alpha", "coco"] = "sam"
    """Source of the masks: segmentation by SAM, sa_<n>.json beside each sa_<n>.jpg of SA-1B, the
    opaque pixels of cut-outs, or COCO's instance annotations."""
    coco: CocoOptions = CocoOptions()
    scenes: SceneOptions = SceneOptions()
    sam: SamOptions = SamOptions()
    generator: GeneratorOptions = GeneratorOptions()

    def source_options(self) -> SourceOptions:
        """Return the options that select the images."""
        return SourceOptions.model_validate(
            self.model_dump(include=set(SourceOptions.model_fields))
        )

    def bank_options(self) -> BankOptions:
        """Return the options that select the masks."""
        return BankOptions.model_validate(self.model_dump(include=set(BankOptions.model_fields)))

    def scenes_path(self) -> str:
        """Return the folder of the synthetic scenes; its name depends on the options."""
        return with_suffix(
            "results/occluders/scenes", self.scenes.model_dump(exclude_defaults=True)
        )

    def masks_path(self) -> str:
        """Return the path of the file of all masks, without suffix; it depends on the options."""
        return with_suffix("results/occluders/masks", self._changed(_MASK_FIELDS))

    def bank_path(self) -> str:
        """Return the folder of the bank; its name depends on the options."""
        return with_suffix("results/occluders/bank", self._changed(set(type(self).model_fields)))

    def _changed(self, fields: set[str]) -> dict[str, Any]:
        """Return the options of `fields` that differ from their defaults, without hashes."""
        sam = self.sam.model_copy(update={"sha256": None})
        scenes = self.scenes if self.images is None else SceneOptions()
        deciding = self.model_copy(update={"sam": sam, "scenes": scenes})
        return deciding.model_dump(include=fields, exclude_defaults=True)


_MASK_FIELDS = {
    *SourceOptions.model_fields,
    "images",
    "masks",
    "coco",
    "scenes",
    "sam",
    "generator",
}
"""Options that the masks depend on; the others select masks."""
