"""Time of decoding and augmenting training images, and memory of writing test features.

    python -m benchmarks.inputs                     # both
    python -m benchmarks.inputs --work views --images 400
    python -m benchmarks.inputs --work features     # of MSMT17's size: 5 GB of disk

Views are compared, in turns and in CPU time, with the usual pipeline of the field: Pillow and
torchvision's transforms. Images are random JPEGs of the given size, of quality 95; the occluders
are random as well. Features are random; the code that writes them is that of the stage `embed`.
"""

from __future__ import annotations

import argparse
import io
import resource
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor
from torchvision import transforms
from torchvision.transforms.functional import pil_to_tensor

from pipeline.data.images import Size, decode_image
from pipeline.evaluation.embed import BATCH
from pipeline.evaluation.features import write_split
from pipeline.options.run import AugmentOptions
from pipeline.training.occlusion import TALL, RealisticOcclusion
from pipeline.training.views import two_views

NETWORK: Size = (128, 256)
SOURCES: dict[str, Size] = {"128 x 64": (64, 128), "256 x 128": NETWORK}
"""Sizes of the images, by name: those of Market-1501, and those of the network."""
MSMT17 = {"query": 11_659, "gallery": 82_161}
WIDTHS = {"global": 768, "coarse": 3072, "blended": 3072}
"""Of the features of ViT-B with four parts."""
QUALITY = 95


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


def in_turns(
    works: dict[str, Callable[[int], object]], count: int, rounds: int
) -> dict[str, float]:
    """Return the least CPU microseconds for an image of each work, over `rounds` of `count`."""
    least = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            started = time.process_time()
            for i in range(count):
                work(i)
            least[name] = min(least[name], (time.process_time() - started) / count * 1e6)
    return least


def measure_views(name: str, count: int, rounds: int) -> None:
    """Print the time of decoding, of both, and of the views of decoded images."""
    options, bank = AugmentOptions(), random_bank()
    stock, occluder = StockViews(options, bank), RealisticOcclusion(bank)
    files = random_jpegs(SOURCES[name], count)
    pictures = [decode_by_pillow(data) for data in files]
    pixels = [decode_image(data, name) for data in files]

    def ours(image: np.ndarray, i: int) -> object:
        return two_views(image, NETWORK, options, occluder, np.random.default_rng([0, 1, i]))

    rng = np.random.default_rng(2)
    least = in_turns(
        {
            "decode, stock": lambda i: np.asarray(decode_by_pillow(files[i])),
            "decode": lambda i: decode_image(files[i], name),
            "decode and two views, stock": lambda i: stock(decode_by_pillow(files[i]), rng),
            "decode and two views": lambda i: ours(decode_image(files[i], name), i),
            "two views, stock": lambda i: stock(pictures[i], rng),
            "two views": lambda i: ours(pixels[i], i),
        },
        count,
        rounds,
    )
    for work in ("decode", "decode and two views", "two views"):
        ratio = least[f"{work}, stock"] / least[work]
        print(f"{name}: {work:<22} {least[work]:8.0f} us, stock / ours {ratio:5.2f}", flush=True)


def random_features(images: int) -> Iterator[dict[str, np.ndarray]]:
    """Yield batches of features."""
    rng = np.random.default_rng(0)
    for first in range(0, images, BATCH):
        rows = min(BATCH, images - first)
        yield {name: rng.random((rows, width), np.float32) for name, width in WIDTHS.items()}


def measure_features(fraction: float) -> None:
    """Write random features of a fraction of MSMT17 and print the memory that it took."""
    before = peak_mebibytes()
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(Path(folder) / "features.npz", "w") as archive,
    ):
        for split, images in MSMT17.items():
            count = round(fraction * images)
            labels = {"identities": np.arange(count)}
            write_split(archive, split, labels, random_features(count))
        size = sum(info.file_size for info in archive.infolist()) / 2**20
    print(f"features: {size:.0f} MiB on disk, {peak_mebibytes() - before:.0f} MiB more memory")


def peak_mebibytes() -> float:
    """Return the peak resident memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.inputs", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--work", choices=["views", "features"], help="only one of the two")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--fraction", type=float, default=1.0, help="of MSMT17's images")
    given = parser.parse_args(arguments)
    if given.work != "views":  # first: the peak of memory only grows
        measure_features(given.fraction)
    if given.work != "features":
        for name in SOURCES:
            measure_views(name, given.images, given.rounds)


if __name__ == "__main__":
    main()
