"""The section `occluders`: the mask bank."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.options.base import Fraction, LocalPath, Positive, Section, Seed, Sha256, with_suffix
from pipeline.options.rendered import SceneOptions


class SamOptions(Section):
    """Which Segment Anything Model."""

    model: Literal["small", "vit_b", "vit_l", "vit_h"] = "small"
    checkpoint: LocalPath = "workflow/weights/small_sam.safetensors"
    sha256: Sha256 | None = None
    """Checked before use; the official checkpoints are checked by their published MD5 besides."""


class GeneratorOptions(Section):
    """The automatic mask generator of segment-anything; loose, the filters below decide."""

    points_per_side: Positive = 10
    predicted_iou: Fraction = 0.6
    stability: Fraction = 0.5
    stability_offset: Annotated[float, Field(gt=0)] = 0.5
    box_nms: Fraction = 0.7


class FilterOptions(Section):
    """Which masks become occluders. Areas are shares of the source image."""

    min_area: Fraction = 0.01
    max_area: Fraction = 0.4
    max_aspect: Annotated[float, Field(ge=1)] = 6.0
    """Longer side over shorter side of the mask's box."""
    max_border: Fraction = 0.2
    """Fraction of the mask's outline that lies on the image border: cut-off objects."""
    predicted_iou: Fraction = 0.6
    stability: Fraction = 0.7
    duplicate_iou: Fraction = 0.7
    """Of two masks of one image that overlap more than this, the better one is kept."""


class SourceOptions(Section):
    """Which images occluders are cut out of."""

    limit: Positive | None = None
    """At most so many images, drawn by `seed`; null: all of them."""
    seed: Seed = 0
    """Of the draws of images and of masks; a higher limit keeps what a lower one drew."""
    on_corrupt: Literal["stop", "list"] = "stop"
    """An image that cannot be read, or whose masks cannot: stop with the names of all such images,
    or leave them out and list them in the bank's summary.json."""


class BankOptions(Section):
    """Which masks become occluders, and how many."""

    filters: FilterOptions = FilterOptions()
    minimum: Positive = 200
    """A bank with fewer objects is an error."""
    maximum: Positive | None = None
    """At most so many objects, drawn by `seed` from those that pass the filters; null: all."""
    longest_side: Positive | None = None
    """Pixels; larger cut-outs are scaled down, for training holds the whole bank in memory. null:
    as they were cut out."""
    seed: Seed = 0
    """Of the draws of images and of masks; a higher maximum keeps what a lower one drew."""


class OccluderOptions(SourceOptions, BankOptions):
    """The occluder mask bank."""

    images: LocalPath | None = None
    """A folder of natural images without people of the dataset; null: synthetic scenes."""
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

    def scenes_path(self) -> str:
        """The folder of the synthetic scenes. Other options have another path, here and below."""
        return with_suffix(
            "results/occluders/scenes", self.scenes.model_dump(exclude_defaults=True)
        )

    def masks_path(self) -> str:
        """The file of all masks, without its suffix."""
        return with_suffix("results/occluders/masks", self._changed(_MASK_FIELDS))

    def bank_path(self) -> str:
        """The folder of the bank."""
        return with_suffix("results/occluders/bank", self._changed(set(type(self).model_fields)))

    def _changed(self, fields: set[str]) -> dict[str, Any]:
        """Options with other values than their defaults; a hash that is only checked is none."""
        sam = self.sam.model_copy(update={"sha256": None})
        scenes = self.scenes if self.images is None else SceneOptions()
        deciding = self.model_copy(update={"sam": sam, "scenes": scenes})
        return deciding.model_dump(include=fields, exclude_defaults=True)


_MASK_FIELDS = {*SourceOptions.model_fields, "images", "masks", "scenes", "sam", "generator"}
"""Options that decide the masks; the others choose from them."""
