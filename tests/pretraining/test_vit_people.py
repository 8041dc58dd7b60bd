"""The rendered people of the small ViT: labels, and the same bytes again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from pipeline.pretraining.vit_people import (
    ATTRIBUTE_PARTS,
    FAMILY,
    NONE,
    SEEN_ON,
    TOKENS,
    People,
    part_fractions,
    person_fraction,
    read_people,
    render_people,
    seen_attributes,
)
from pipeline.world.people import ATTRIBUTES
from pipeline.world.surfaces import PART, PARTS
from tests.pretraining.conftest import BODY, GROUP, IMAGES

NAMES = list(ATTRIBUTES)


def rendered(path: Path, family: str, seed: int) -> People:
    render_people(BODY, path, family, seed, identities=1)
    return read_people(path)


def test_images_of_an_identity_have_the_same_attributes(people: People) -> None:
    count = 2 * GROUP * IMAGES
    assert people.images.shape == (count, 3, 128, 64)
    assert people.part_pixels.shape == (count, TOKENS, len(PARTS))
    assert (people.part_pixels.sum(-1) == 64).all()
    assert torch.equal(people.identity, torch.arange(2 * GROUP).repeat_interleave(IMAGES))
    each = people.attributes.view(2 * GROUP, IMAGES, -1)
    assert (each == each[:, :1]).all()  # one person, three times
    sizes = torch.tensor([len(values) for values in ATTRIBUTES.values()])
    assert ((people.attributes >= 0) & (people.attributes < sizes)).all()


def test_occluded_people_have_obstacle_pixels(people: People) -> None:
    occluded = people.occlusion != NONE
    assert occluded.any()
    assert not occluded.all()
    obstacles = people.part_pixels[..., PART["obstacle"]].sum(1, dtype=torch.long)
    assert (obstacles[occluded] > 0).all()
    assert people.seen[~occluded].all()
    assert not people.seen[occluded].all()


def test_people_depend_on_family_and_seed(
    small_groups: None, people: People, tmp_path: Path, long: bool
) -> None:
    again, *others = (
        rendered(tmp_path / "people.npz", *which)
        for which in (("train", 0), ("train", 1), *([("held_out", 0)] if long else []))
    )
    assert len(again.images) == GROUP * IMAGES  # a whole group, for one person
    for name in ("images", "part_pixels", "attributes", "occlusion", "identity"):
        assert torch.equal(getattr(again, name), getattr(people, name)[: GROUP * IMAGES])
    for other in others:
        assert not torch.equal(other.images[0], people.images[0])
    assert len(set(FAMILY.values())) == 3


def test_part_fractions_equal_a_plain_loop() -> None:
    labels = np.random.default_rng(0).integers(0, len(PARTS), (8, 4)).astype(np.uint8)
    fractions = part_fractions(labels, 2)
    for row in range(4):
        for column in range(2):
            patch = labels[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            expected = [(patch == part).mean() for part in range(len(PARTS))]
            assert fractions[2 * row + column].tolist() == expected


def test_every_attribute_shows_on_parts_of_the_person() -> None:
    assert ATTRIBUTE_PARTS.keys() == ATTRIBUTES.keys()
    assert SEEN_ON.shape == (len(PARTS), len(NAMES))
    assert (SEEN_ON.sum(0) > 0).all()
    assert not SEEN_ON[[PART["background"], PART["obstacle"], PART["vehicle"]]].any()


def test_occluded_attributes_are_not_seen() -> None:
    """An unoccluded image shows everything; others need a quarter of the part's mean area."""
    pixels = np.zeros((4, TOKENS, len(PARTS)), np.uint8)
    top, shoes = PART["top"], PART["shoes"]
    pixels[0, :8, top] = pixels[0, :8, shoes] = 10
    pixels[1, :8, top], pixels[1, 0, shoes] = 10, 10
    pixels[2, 0, top], pixels[2, :8, shoes] = 10, 10
    attributes = np.zeros((4, len(NAMES)), np.int64)
    attributes[:, NAMES.index("glasses")] = -1
    seen = seen_attributes(pixels, attributes, np.array([0, 1, 1, 2]))
    columns = [NAMES.index(name) for name in ("upper", "shoes", "bag", "bag_colour", "glasses")]
    assert seen[:, columns].tolist() == [
        [True, True, True, True, False],
        [True, False, True, False, False],  # nobody has a bag, which shows on the top
        [False, True, False, False, False],
        [False, False, False, False, False],
    ]


def test_person_fraction_ignores_background_and_obstacle() -> None:
    fractions = torch.eye(len(PARTS))
    assert person_fraction(fractions).tolist() == [0, *[1] * 10, 0]
