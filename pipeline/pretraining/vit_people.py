"""Drawn people for the small ViT: images, part shares and the attributes that can be seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from pipeline.synthetic.cameras import (
    HEIGHT,
    WIDTH,
    Camera,
    Occlusion,
    make_camera,
    patch_shares,
    render,
)
from pipeline.synthetic.people import (
    ATTRIBUTE_PART,
    ATTRIBUTES,
    OCCLUDER,
    PARTS,
    Identity,
    draw_identity,
)

PATCH = 8
TOKENS = HEIGHT // PATCH * (WIDTH // PATCH)
FAMILY = {"train": 0x5317_0001, "probe": 0x5317_0002, "held_out": 0x5317_0003}
"""First word of the seeds: these people and cameras are of no benchmark and of no other set."""

NONE, OBJECT, PERSON = range(3)  # what hides a part of the person
_OCCLUSIONS: tuple[Occlusion, ...] = (None, "free", "person")
_OCCLUSION_SHARES = (0.4, 0.38, 0.22)
_VISIBLE = (0.3, 0.85)
_IMAGES = 3  # of each identity
_GROUP, _CAMERAS = 100, 4  # identities that share so many cameras
_SEEN = 0.25  # of a part's usual area must be visible for its attributes to be asked for

_NAMES = list(ATTRIBUTES)
_PART_OF = np.array([ATTRIBUTE_PART[name] for name in _NAMES])


class People(NamedTuple):
    """M drawn images with what the renderer knows of them.

    images (M, 3, 128, 64) uint8; shares (M, 128, 8) uint8: pixels of each part in each patch of 64;
    attributes (M, 13) int64, -1 where one does not apply; seen (M, 13) bool: enough of its part is
    visible; occlusion (M,) int64: NONE, OBJECT or PERSON; identity (M,) int64.
    """

    images: Tensor
    shares: Tensor
    attributes: Tensor
    seen: Tensor
    occlusion: Tensor
    identity: Tensor


def draw_people(family: str, seed: int, identities: int) -> People:
    """Three images of each of `identities` people, most of them partly hidden.

    They are a function of `family` (a key of `FAMILY`), `seed` and `identities`.
    """
    count = identities * _IMAGES
    images = np.empty((count, HEIGHT, WIDTH, 3), np.uint8)
    shares = np.empty((count, TOKENS, len(PARTS)), np.uint8)
    attributes = np.empty((count, len(_NAMES)), np.int64)
    occlusion = np.empty(count, np.int64)
    for index in tqdm(range(identities), desc=f"people ({family})", mininterval=5):
        if index % _GROUP == 0:
            rng = np.random.default_rng([FAMILY[family], seed, index // _GROUP])
            cameras = [make_camera(rng) for _ in range(_CAMERAS)]
        identity, other = draw_identity(rng, top_colours=10), draw_identity(rng, top_colours=10)
        for row in range(index * _IMAGES, (index + 1) * _IMAGES):
            camera = cameras[rng.integers(_CAMERAS)]
            occlusion[row] = rng.choice(len(_OCCLUSIONS), p=_OCCLUSION_SHARES)
            images[row], shares[row] = _draw(identity, other, camera, rng, occlusion[row])
            attributes[row] = [identity.attributes[name] for name in _NAMES]
    return People(
        images=torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(),
        shares=torch.from_numpy(shares),
        attributes=torch.from_numpy(attributes),
        seen=torch.from_numpy(seen_attributes(shares, attributes, occlusion)),
        occlusion=torch.from_numpy(occlusion),
        identity=torch.arange(identities).repeat_interleave(_IMAGES),
    )


def _draw(
    identity: Identity, other: Identity, camera: Camera, rng: np.random.Generator, occlusion: int
) -> tuple[np.ndarray, np.ndarray]:
    """Image (128, 64, 3) and pixels of each part in each patch (128, 8), both uint8."""
    drawn = render(identity, camera, rng, _OCCLUSIONS[occlusion], other, _VISIBLE)
    return drawn.image, np.rint(patch_shares(drawn.labels, PATCH) * PATCH**2).astype(np.uint8)


def seen_attributes(
    shares: np.ndarray, attributes: np.ndarray, occlusion: np.ndarray
) -> np.ndarray:
    """Which attributes (M, 13) an image shows: all that apply where nothing hides the person.

    Otherwise a quarter of the usual area of the attribute's part must be visible; that nobody
    carries a bag is seen on the top. Arguments as in `People`.
    """
    pixels = shares.sum(1, dtype=np.int64)  # (M, 8)
    clean = occlusion == NONE
    drawn = pixels[clean] > 0
    usual = pixels[clean].sum(0) / np.maximum(1, drawn.sum(0))  # of the images that show the part
    visible = pixels > _SEEN * usual
    seen = visible[:, _PART_OF]  # (M, 13)
    bag = _NAMES.index("bag")
    no_bag = attributes[:, bag] == 0
    seen[no_bag, bag] = visible[no_bag, ATTRIBUTE_PART["top"]]
    return (seen | clean[:, None]) & (attributes >= 0)


def person_shares(shares: Tensor) -> Tensor:
    """Share of the person in each patch: (..., 8) shares of parts -> (...)."""
    return shares[..., 1:OCCLUDER].sum(-1)
