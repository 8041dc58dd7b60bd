from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pipeline.synthetic.people import (
    ATTRIBUTE_PART,
    ATTRIBUTES,
    PARTS,
    Identity,
    draw_identity,
    draw_person,
)

TOP = PARTS.index("top")


def drawn(identity: Identity, seed: int) -> tuple[np.ndarray, np.ndarray]:
    canvas, labels = Image.new("RGB", (128, 256)), Image.new("L", (128, 256))
    draw_person(canvas, identity, np.random.default_rng(seed), 64, 10, 236, labels)
    return np.asarray(canvas), np.asarray(labels)


def test_attributes_are_in_range_and_absent_ones_are_marked():
    rng = np.random.default_rng(0)
    for _ in range(300):
        attributes = draw_identity(rng, top_colours=10).attributes
        assert list(attributes) == list(ATTRIBUTES)
        for name, value in attributes.items():
            assert -1 <= value < ATTRIBUTES[name]
        assert (attributes["cap"] == -1) == (attributes["hair_style"] != 2)
        assert (attributes["bag_colour"] == -1) == (attributes["bag"] == 0)
        assert (attributes["pattern_colour"] == -1) == (attributes["pattern"] == 0)


def test_every_class_of_every_attribute_occurs():
    rng = np.random.default_rng(0)
    people = [draw_identity(rng, top_colours=10).attributes for _ in range(1000)]
    for name, classes in ATTRIBUTES.items():
        assert {person[name] for person in people} - {-1} == set(range(classes))
    assert ATTRIBUTE_PART.keys() == ATTRIBUTES.keys()


def test_few_top_colours_are_shared():
    rng = np.random.default_rng(0)
    assert {draw_identity(rng, 5).attributes["top"] for _ in range(200)} == set(range(5))


def test_a_pattern_can_be_told_from_its_top():
    rng = np.random.default_rng(1)
    for _ in range(200):
        colours = draw_identity(rng).colours
        contrast = np.abs(np.subtract(colours["top"], colours["pattern_colour"])).sum()
        assert contrast > 60  # at least 150 before the colour varies a little


@pytest.mark.parametrize("seed", range(8))
def test_labels_cover_exactly_what_is_drawn(seed: int):
    image, labels = drawn(draw_identity(np.random.default_rng(seed)), seed)
    assert np.array_equal(image.any(-1), labels > 0)


@pytest.mark.parametrize("seed", range(8))
def test_labelled_pixels_have_the_colours_of_their_part(seed: int):
    identity = draw_identity(np.random.default_rng(seed))
    worn = {
        "skin": ("skin",),
        "top": ("top", "pattern_colour"),
        "bottom": ("bottom",),
        "shoe": ("shoe",),
        "hair": ("hair", "cap"),
        "bag": ("bag_colour",),
    }
    image, labels = drawn(identity, seed)
    for part, names in worn.items():
        found = {tuple(pixel) for pixel in image[labels == PARTS.index(part)].tolist()}
        assert found <= {identity.colours[name] for name in names}
    assert (labels == TOP).sum() > 500


def test_the_pose_comes_from_the_generator_and_labels_do_not_change_it():
    identity = draw_identity(np.random.default_rng(3))
    image, labels = drawn(identity, 5)
    canvas = Image.new("RGB", (128, 256))
    draw_person(canvas, identity, np.random.default_rng(5), 64, 10, 236)
    assert np.array_equal(canvas, image)
    assert not np.array_equal(drawn(identity, 6)[1], labels)
