"""Stage: render people for the small ViT: images, parts of patches, attributes."""

from __future__ import annotations

import math
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from pipeline.files import atomic_file
from pipeline.world.body import Body
from pipeline.world.cameras import Camera, draw_camera, draw_obstacles
from pipeline.world.crops import NoRoomError, Occlusion, render_crop
from pipeline.world.people import ATTRIBUTES, draw_identity
from pipeline.world.person import Person
from pipeline.world.surfaces import PART, PARTS
from pipeline.world.workers import map_in_processes

HEIGHT, WIDTH, PATCH = 128, 64, 8
TOKENS = HEIGHT // PATCH * (WIDTH // PATCH)
FAMILY = {"train": 0x5317_0001, "probe": 0x5317_0002, "held_out": 0x5317_0003}
"""First word of the seeds: these people and cameras are in no benchmark and no other set."""

NONE, OBJECT, PERSON = range(3)  # kinds of occlusion
_OCCLUSIONS: tuple[Occlusion, ...] = (None, "obstacle", "person")
_OCCLUSION_PROBABILITIES = (0.6, 0.25, 0.15)
_IMAGES = 5  # of each identity, each by another camera
_GROUP, _CAMERAS, _OBSTACLES = 64, 6, 3  # identities, their cameras and the obstacles of each
_MIN_SEEN = 0.25  # fraction of a part's mean area that must be visible to show its attributes

_NAMES = list(ATTRIBUTES)
_WHOLE = PARTS[1 : PART["bag"]]
_UPPER = ("top", "outer")
ATTRIBUTE_PARTS: dict[str, tuple[str, ...]] = {
    "sex": _WHOLE,
    "age": _WHOLE,
    "build": _WHOLE,
    "upper": _UPPER,
    "upper_colour": _UPPER,
    "inner_colour": ("top",),
    "pattern": _UPPER,
    "sleeves": _UPPER,
    "lower": ("bottom",),
    "lower_colour": ("bottom",),
    "hair": ("hair",),
    "hair_colour": ("hair",),
    "headwear": ("headwear", "hair"),
    "glasses": ("skin",),
    "shoes": ("shoes",),
    "shoe_colour": ("shoes",),
    "bag": ("bag", *_UPPER),
    "bag_colour": ("bag",),
}
"""Parts that show each attribute."""


SEEN_ON = np.array(
    [[part in ATTRIBUTE_PARTS[name] for name in _NAMES] for part in PARTS], np.float32
)
"""(P, A) float32: 1 if a part shows an attribute, else 0."""


class People(NamedTuple):
    """M rendered images with their ground truth; A attributes, P parts.

    images (M, 3, 128, 64) uint8; part_pixels (M, 128, P) uint8: number of pixels of each part in
    each patch of 64; attributes (M, A) int64, -1 if one does not apply; seen (M, A) bool: the image
    shows the attribute; occlusion (M,) int64: NONE, OBJECT or PERSON; identity (M,) int64: groups
    of `_GROUP` share their cameras.
    """

    images: Tensor
    part_pixels: Tensor
    attributes: Tensor
    seen: Tensor
    occlusion: Tensor
    identity: Tensor


def render_people(
    body: Path,
    people: Path,
    family: str,
    seed: int = 0,
    identities: int = 3_840,
    processes: int = 1,
) -> None:
    """Write five images of each of `identities` people, some of them occluded, as .npz.

    The number is rounded up to whole groups of 64, which share cameras. The images depend on
    `family` (a key of `FAMILY`), `seed` and `identities`, not on the number of `processes`. The
    arrays are those of `People`, images as (M, 128, 64, 3).
    """
    groups = range(math.ceil(identities / _GROUP))
    make = partial(_Group, body, family, seed)
    progress = tqdm(
        map_in_processes(make, groups, processes, chunk=1),
        f"people ({family})",
        len(groups),
        mininterval=5,
    )
    images, part_pixels, attributes, occlusion, identity = (
        np.concatenate(part) for part in zip(*progress, strict=True)
    )
    with atomic_file(people) as partial_file, open(partial_file, "wb") as file:
        np.savez(
            file,
            images=images,
            part_pixels=part_pixels,
            attributes=attributes,
            seen=seen_attributes(part_pixels, attributes, occlusion),
            occlusion=occlusion,
            identity=identity,
        )
    print(f"{people}: {len(images)} images of {len(np.unique(identity))} people")


def read_people(path: Path) -> People:
    """Read the file of `render_people`."""
    with np.load(path, allow_pickle=False) as arrays:
        fields = {name: torch.from_numpy(arrays[name]) for name in People._fields}
    fields["images"] = fields["images"].permute(0, 3, 1, 2).contiguous()
    return People(**fields)


class _Group:
    """Render a group of identities by its own cameras."""

    def __init__(self, body: Path, family: str, seed: int) -> None:
        self._body, self._seed = Body.load(body), [FAMILY[family], seed]

    def __call__(self, group: int) -> tuple[np.ndarray, ...]:
        """Return images (n, 128, 64, 3), part_pixels, attributes, occlusion and identity."""
        rng = np.random.default_rng([*self._seed, group])
        cameras = [draw_camera(rng, draw_obstacles(rng, _OBSTACLES)) for _ in range(_CAMERAS)]
        people = [Person(self._body, draw_identity(rng)) for _ in range(_GROUP)]
        rows = []
        for number, person in enumerate(people):
            other = people[(number + 1) % _GROUP]
            order = rng.permutation(_CAMERAS)
            candidates = (_image(person, other, cameras[c], rng) for c in [*order, *order])
            images = list(islice(filter(None, candidates), _IMAGES))
            rows += [(*image, np.array(group * _GROUP + number)) for image in images]
        return tuple(np.stack(column) for column in zip(*rows, strict=True))


def _image(
    person: Person, other: Person, camera: Camera, rng: np.random.Generator
) -> tuple[np.ndarray, ...] | None:
    """Render image, part_pixels, attributes and occlusion; None if the camera has no room."""
    occlusion = int(rng.choice(len(_OCCLUSIONS), p=_OCCLUSION_PROBABILITIES))
    try:
        crop = render_crop(camera, rng, (HEIGHT, WIDTH), person, _OCCLUSIONS[occlusion], other)
    except NoRoomError:
        return None
    part_pixels = np.rint(part_fractions(crop.labels, PATCH) * PATCH**2).astype(np.uint8)
    attributes = person.identity.attributes  # takes half as long as a crop
    labels = np.array([attributes[name] for name in _NAMES], np.int64)
    return crop.image, part_pixels, labels, np.array(occlusion)


def part_fractions(labels: np.ndarray, patch: int) -> np.ndarray:
    """Compute the fraction of each part in each patch: (H, W) labels to (N, P) float32.

    Patches are in raster order; `patch` pixels must divide H and W, N = H / patch * W / patch.
    """
    rows, columns = labels.shape[0] // patch, labels.shape[1] // patch
    one_hot = np.eye(len(PARTS), dtype=np.float32)[labels]  # (H, W, P)
    tiles = one_hot.reshape(rows, patch, columns, patch, len(PARTS))
    return tiles.mean((1, 3)).reshape(rows * columns, len(PARTS))


def seen_attributes(
    part_pixels: np.ndarray, attributes: np.ndarray, occlusion: np.ndarray
) -> np.ndarray:
    """Return the attributes (M, A) that each image shows: without occlusion all that apply.

    With occlusion, a quarter of the mean area of the attribute's parts must be visible. Arguments
    as in `People`.
    """
    pixels = part_pixels.sum(1, dtype=np.int64) @ SEEN_ON  # (M, A)
    clean = occlusion == NONE
    shown = pixels[clean] > 0
    mean = pixels[clean].sum(0) / np.maximum(1, shown.sum(0))  # over the images that show the part
    return ((pixels > _MIN_SEEN * mean) | clean[:, None]) & (attributes >= 0)


def person_fraction(parts: Tensor) -> Tensor:
    """Sum the fractions of the person's parts: (..., P) to (...)."""
    return parts[..., 1 : PART["obstacle"]].sum(-1)
