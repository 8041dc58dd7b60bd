"""Stage: render the training scenes of the small SAM; batches of them with point prompts."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from segment_anything.utils.transforms import ResizeLongestSide
from torch import Tensor
from tqdm import tqdm

from pipeline.files import atomic_file
from pipeline.occluders.sam import SMALL_SIDE
from pipeline.world.scenes import SceneMaker
from pipeline.world.workers import map_in_processes

TRAINING, HELD_OUT = 71_001, 71_002
"""First numbers of the seeds: the two families and the scenes of the bank share no seed."""
RENDERED_SIDE = 256
"""Scenes are rendered at the size of the bank's, then resized as SAM resizes them."""
_MAX_OBJECTS = 20  # further ones count as background
_MIN_AREA = 180  # pixels at SMALL_SIDE: a smaller object is no target
_BACKGROUND_POINTS = 0.2  # fraction of the prompts; teaches low predicted IoUs


class Scenes(NamedTuple):
    """Many scenes at the small SAM's size S."""

    images: Tensor
    """(M, 3, S, S) uint8."""
    instances: Tensor
    """(M, S, S) uint8: 0 background, 1..20 objects."""
    boxes: Tensor
    """(M, 21, 4) float32 of each instance: centre x, y in -1..1, width, height in 0..2."""
    targets: Tensor
    """(M, 21) bool: objects that are large enough to be prompted."""


class SceneBatch(NamedTuple):
    """Images with `points` prompts each: n = B * points."""

    images: Tensor
    """(B, 3, S, S) float32 in 0..255."""
    instances: Tensor
    """(B, S, S) int64."""
    boxes: Tensor
    """(B, 21, 4)."""
    points: Tensor
    """(n, 2) float32: x, y in pixels; sorted by image."""
    masks: Tensor
    """(n, 1, S/4, S/4) float32: fraction of each cell that the prompted object covers."""
    background: Tensor
    """(n,) bool: prompts on the background, with empty masks."""


def render_scenes(
    body: Path, scenes: Path, seed: int = 0, count: int = 5_000, processes: int = 1
) -> None:
    """Write `count` scenes of the training family, half of them hard, as .npz.

    `images` (M, S, S, 3) and `instances` (M, S, S), uint8, at the small SAM's size S. They do not
    depend on the number of `processes`.
    """
    images = np.empty((count, SMALL_SIDE, SMALL_SIDE, 3), np.uint8)
    instances = np.empty((count, SMALL_SIDE, SMALL_SIDE), np.uint8)
    reduce = ResizeLongestSide(SMALL_SIDE)
    make = partial(SceneMaker, body, [TRAINING, seed], RENDERED_SIDE)
    rendered = map_in_processes(make, range(count), processes)
    for index, scene in enumerate(tqdm(rendered, "scenes", count, mininterval=5)):
        images[index] = reduce.apply_image(scene.image)
        small = Image.fromarray(scene.instances).resize(
            (SMALL_SIDE, SMALL_SIDE), Image.Resampling.NEAREST
        )
        numbers = np.asarray(small)
        instances[index] = np.where(numbers <= _MAX_OBJECTS, numbers, 0)
    with atomic_file(scenes) as partial_file, open(partial_file, "wb") as file:
        np.savez(file, images=images, instances=instances)
    print(f"{scenes}: {count} scenes")


def read_scenes(path: Path) -> Scenes:
    """Read the file of `render_scenes`, and compute the boxes of the objects."""
    with np.load(path, allow_pickle=False) as arrays:
        images, instances = (torch.from_numpy(arrays[name]) for name in ("images", "instances"))
    images = images.permute(0, 3, 1, 2).contiguous()
    return Scenes(images, instances, *_boxes_and_targets(instances))


def _boxes_and_targets(instances: Tensor) -> tuple[Tensor, Tensor]:
    boxes = torch.zeros(len(instances), _MAX_OBJECTS + 1, 4)
    targets = torch.zeros(len(instances), _MAX_OBJECTS + 1, dtype=torch.bool)
    side = instances.shape[-1]
    for scene, number in np.ndindex(len(instances), _MAX_OBJECTS):
        rows, columns = torch.nonzero(instances[scene] == number + 1, as_tuple=True)
        if not len(rows):
            continue
        left, right, top, bottom = columns.min(), columns.max(), rows.min(), rows.max()
        box = torch.stack([left + right, top + bottom, 2 * (right - left), 2 * (bottom - top)])
        boxes[scene, number + 1] = box / side - torch.tensor([1, 1, 0, 0])
        targets[scene, number + 1] = len(rows) >= _MIN_AREA
    return boxes, targets


def sample_scene_batch(
    scenes: Scenes, rng: np.random.Generator, images: int, points: int
) -> SceneBatch:
    """Sample `images` scenes with `points` prompts each; flip half of the batches."""
    chosen = torch.from_numpy(rng.integers(0, len(scenes.images), images))
    pixels, instances = scenes.images[chosen].float(), scenes.instances[chosen].long()
    boxes = scenes.boxes[chosen]
    if rng.random() < 0.5:
        pixels, instances = pixels.flip(3), instances.flip(2)
        boxes = boxes * torch.tensor([-1, 1, 1, 1])
    prompts = [
        _prompt(instances[row], scenes.targets[scene], rng)
        for row, scene in enumerate(chosen.tolist())
        for _ in range(points)
    ]
    numbers = torch.tensor([number for number, _ in prompts])  # (n,)
    same = instances.repeat_interleave(points, 0) == numbers[:, None, None]  # (n, S, S)
    masks = F.avg_pool2d((same & (numbers > 0)[:, None, None]).float()[:, None], 4)
    positions = torch.tensor([point for _, point in prompts], dtype=torch.float32)
    return SceneBatch(
        _jitter_colours(pixels, rng), instances, boxes, positions, masks, numbers == 0
    )


def _prompt(
    instances: Tensor, targets: Tensor, rng: np.random.Generator
) -> tuple[int, tuple[int, int]]:
    """Sample an object's number (0: background) and a pixel (x, y) of it."""
    objects = torch.nonzero(targets)[:, 0].tolist()
    background = bool((instances == 0).any()) and rng.random() < _BACKGROUND_POINTS
    number = 0 if background or not objects else int(rng.choice(objects))
    pixels = np.flatnonzero((instances == number).numpy())
    y, x = divmod(int(rng.choice(pixels)), instances.shape[-1])
    return number, (x, y)


def _jitter_colours(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Apply a random gain per channel and a random offset per image (B, 3, S, S)."""
    gain = torch.from_numpy(rng.uniform(0.8, 1.2, (len(images), 3, 1, 1)).astype(np.float32))
    offset = torch.from_numpy(rng.uniform(-12, 12, (len(images), 1, 1, 1)).astype(np.float32))
    return (images * gain + offset).clamp(0, 255)
