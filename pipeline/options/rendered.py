"""The section `benchmark`, and the scenes of `occluders`: the images that the workflow renders."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.options.base import Fraction, Positive, Section, Seed, with_suffix
from pipeline.options.data import SplitCounts


class BenchmarkOptions(Section):
    """The synthetic pedestrians; as in Occluded-Duke, every query is occluded."""

    seed: Seed = 0
    height: Annotated[int, Field(ge=64, le=512, multiple_of=32)] = 128
    """Height of an image in pixels; its width is half of it."""
    cameras: Annotated[int, Field(ge=2, le=9)] = 6
    """At most 9, because Market-1501's file names have one digit for the camera."""
    obstacles: Positive = 8
    """Number of obstacles; most of them appear in several cameras."""
    obstacles_per_camera: Positive = 3
    train_identities: Positive = 100
    train_images: Positive = 10
    """Images of each training identity."""
    train_occluded: Fraction = 0.07
    test_identities: Positive = 200
    gallery_only_identities: Annotated[int, Field(ge=0)] = 50
    gallery_images: Positive = 4
    """Images of each gallery identity, each from another camera."""
    gallery_occluded: Fraction = 0.13
    queries_per_identity: Positive = 2
    whole_queries_per_identity: Annotated[int, Field(ge=0)] = 1
    """Queries without occlusion, scored separately."""
    person_occluders: Fraction = 0.35
    """Fraction of occlusions by another person; the others are by obstacles."""
    junk_images: Annotated[int, Field(ge=0)] = 40
    distractor_images: Annotated[int, Field(ge=0)] = 60

    def folder(self) -> str:
        """Return the default folder in results/; its name depends on the options."""
        return with_suffix("synthetic", self.model_dump(exclude_defaults=True))

    def counts(self) -> dict[str, SplitCounts]:
        """Return the numbers of identities and images of each split."""
        people = self.test_identities + self.gallery_only_identities
        return {
            "train": SplitCounts(
                identities=self.train_identities, images=self.train_identities * self.train_images
            ),
            "query": SplitCounts(
                identities=self.test_identities,
                images=self.test_identities * self.queries_per_identity,
            ),
            **self._whole_queries(),
            "gallery": SplitCounts(
                # all distractors share the identity 0
                identities=people + (self.distractor_images > 0),
                images=people * self.gallery_images + self.distractor_images,
            ),
        }

    def _whole_queries(self) -> dict[str, SplitCounts]:
        if not self.whole_queries_per_identity:
            return {}
        images = self.test_identities * self.whole_queries_per_identity
        return {"whole_query": SplitCounts(identities=self.test_identities, images=images)}


class SceneOptions(Section):
    """The synthetic scenes that SAM cuts occluders out of."""

    count: Positive = 300
    size: Positive = 256
    """Width and height in pixels."""
    seed: Seed = 1
