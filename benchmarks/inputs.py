"""Time of decoding training images and making their two views.

    python -m benchmarks.inputs
    python -m benchmarks.inputs --images 400 --rounds 20

Compared, in turns and in CPU time, with the usual pipeline of the field: Pillow and torchvision's
transforms. Images are random JPEGs of quality 95; the occluders are random as well.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from PIL import Image
from torch import Tensor
from torchvision import transforms
from torchvision.transforms.functional import pil_to_tensor

from benchmarks.rows import Row
from benchmarks.timing import least_times
from pipeline.data.images import Size, decode_image
from pipeline.options.run import AugmentOptions
from pipeline.training.occlusion import TALL, RealisticOcclusion
from pipeline.training.pixels import stack_planes
from pipeline.training.views import two_views

NETWORK: Size = (128, 256)
SOURCES: dict[str, Size] = {"128 x 64": (64, 128), "256 x 128": NETWORK}
"""Sizes of the images, by name: those of Market-1501, and those of the network."""
QUALITY = 95
GOALS = {"decode": "", "decode and two views": "at least 3", "two views": "at least 2"}
"""Work and goal of the rows."""


def random_picture(size: Size, rng: np.random.Generator, channels: int = 3) -> Image.Image:
    """Return a smooth random image."""
    coarse = rng.integers(0, 256, (8, 4, channels), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def random_jpegs(size: Size, count: int) -> list[bytes]:
    """Return random images as JPEG."""
    rng, files = np.random.default_rng(0), []
    for _ in range(count):
        buffer = io.BytesIO()
        random_picture(size, rng).save(buffer, "JPEG", quality=QUALITY)
        files.append(buffer.getvalue())
    return files


def random_bank(count: int = 100) -> list[np.ndarray]:
    """Return random cut-outs (h, w, 4) uint8 of 40 to 200 pixels a side."""
    rng = np.random.default_rng(1)
    sizes = rng.integers(40, 201, (count, 2)).tolist()
    return [np.asarray(random_picture((w, h), rng, 4)) for w, h in sizes]


class StockViews:
    """Two views by Pillow and torchvision, with an occluder pasted by its alpha."""

    def __init__(self, options: AugmentOptions, bank: Sequence[np.ndarray]) -> None:
        jitter = options.colour_jitter
        self._clean = transforms.Compose(
            [
                transforms.ColorJitter(jitter, jitter, jitter),
                transforms.Resize(NETWORK[::-1], transforms.InterpolationMode.BICUBIC),
                transforms.RandomHorizontalFlip(options.flip),
                transforms.Pad(options.pad),
                transforms.RandomCrop(NETWORK[::-1]),
            ]
        )
        self._bank = [Image.fromarray(cut_out) for cut_out in bank]

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return both views (3, H, W) uint8."""
        clean = self._clean(image)
        second = clean.copy()
        cut_out = self._bank[rng.integers(len(self._bank))]
        fraction, (width, height) = rng.uniform(0.5, 0.75), NETWORK
        if cut_out.height / cut_out.width > TALL:
            size = (round(fraction * width), height)
        else:
            size = (width, round(fraction * height))
        occluder = cut_out.resize(size, Image.Resampling.BILINEAR)
        second.paste(occluder, (0, height - size[1]), occluder)
        return pil_to_tensor(clean), pil_to_tensor(second)


def decode_by_pillow(data: bytes) -> Image.Image:
    """Decode as most data sets in torch do."""
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")


def _for_all(work: Callable[[int], object], count: int) -> None:
    for i in range(count):
        work(i)


def measure_views(name: str, count: int, rounds: int) -> list[Row]:
    """Measure decoding, decoding with views, and the views of decoded images."""
    options, bank = AugmentOptions(), random_bank()
    stock, occluder = StockViews(options, bank), RealisticOcclusion(bank)
    files = random_jpegs(SOURCES[name], count)
    pictures = [decode_by_pillow(data) for data in files]
    pixels = [decode_image(data, name) for data in files]

    def ours(image: np.ndarray, i: int) -> object:
        rng = np.random.default_rng([0, 1, i])
        return stack_planes(two_views(image, NETWORK, options, occluder, rng))

    rng = np.random.default_rng(2)
    works: dict[str, Callable[[int], object]] = {
        "decode, stock": lambda i: np.asarray(decode_by_pillow(files[i])),
        "decode": lambda i: decode_image(files[i], name),
        "decode and two views, stock": lambda i: stock(decode_by_pillow(files[i]), rng),
        "decode and two views": lambda i: ours(decode_image(files[i], name), i),
        "two views, stock": lambda i: stock(pictures[i], rng),
        "two views": lambda i: ours(pixels[i], i),
    }
    least = least_times({key: partial(_for_all, works[key], count) for key in works}, rounds)
    return [
        Row(f"{work}, {name}", least[f"{work}, stock"] / least[work], "x as fast as stock", goal)
        for work, goal in GOALS.items()
    ]


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Measure, print and return the rows."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.inputs", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=10)
    given = parser.parse_args(arguments)
    rows = [row for name in SOURCES for row in measure_views(name, given.images, given.rounds)]
    for row in rows:
        print(f"{row.work}: {row.measured}")
    return rows


if __name__ == "__main__":
    main()
