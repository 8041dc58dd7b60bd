"""A few rendered people, and files of random people and features."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.pretraining import vit_people
from pipeline.pretraining.teacher import IMAGE_WIDTH, PATCH_WIDTH
from pipeline.pretraining.vit_people import (
    HEIGHT,
    NONE,
    PATCH,
    TOKENS,
    WIDTH,
    People,
    read_people,
    render_people,
    seen_attributes,
)
from pipeline.world.cameras import draw_obstacles
from pipeline.world.people import ATTRIBUTES
from pipeline.world.surfaces import PARTS

BODY = Path("workflow/body/body.npz")
GROUP, IMAGES = 3, 3
"""Identities of a group, and images of each, with the fixture `small_groups`."""


@pytest.fixture(scope="session")
def small_groups() -> Iterator[None]:
    """Make groups of few people and cameras; all cameras have the same obstacles."""
    obstacles = draw_obstacles(np.random.default_rng(0), 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vit_people, "draw_obstacles", lambda rng, count: obstacles)
        for name, value in (("_GROUP", GROUP), ("_CAMERAS", IMAGES), ("_IMAGES", IMAGES)):
            patch.setattr(vit_people, name, value)
        yield


@pytest.fixture(scope="session")
def people_file(small_groups: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two groups of the family `train`."""
    path = tmp_path_factory.mktemp("people") / "people.npz"
    render_people(BODY, path, "train", identities=2 * GROUP)
    return path


@pytest.fixture(scope="session")
def people(people_file: Path) -> People:
    return read_people(people_file)


def write_random_people(path: Path, identities: int, seed: int = 0) -> Path:
    """Write noise with random labels; every third image is occluded."""
    rng = np.random.default_rng(seed)
    count = identities * IMAGES
    attributes = np.stack([rng.integers(0, len(v), identities) for v in ATTRIBUTES.values()], 1)
    pixels = rng.multinomial(PATCH**2, np.full(len(PARTS), 1 / len(PARTS)), (count, TOKENS))
    pixels[:, ::2] = 0
    pixels[:, ::2, 0] = PATCH**2  # background
    occlusion = np.tile([NONE, NONE, 1], identities)[:count]
    arrays = {
        "images": rng.integers(0, 256, (count, HEIGHT, WIDTH, 3), np.uint8),
        "part_pixels": pixels.astype(np.uint8),
        "attributes": attributes.repeat(IMAGES, 0),
        "occlusion": occlusion,
        "identity": np.arange(identities).repeat(IMAGES),
    }
    seen = seen_attributes(arrays["part_pixels"], arrays["attributes"], occlusion)
    np.savez(path, seen=seen, **arrays)
    return path


def write_random_teacher_features(path: Path, images: int, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    sizes = {"patches": (images, TOKENS, PATCH_WIDTH), "images": (images, IMAGE_WIDTH)}
    arrays = {name: rng.normal(size=size).astype(np.float16) for name, size in sizes.items()}
    np.savez(path, **arrays)
    return path
