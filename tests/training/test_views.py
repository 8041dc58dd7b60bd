from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.data.shards import ShardReader
from pipeline.data.training_images import TrainingImages
from pipeline.model.backbone import normalise
from pipeline.options.run import AugmentOptions, ImageOptions, RunOptions
from pipeline.training.loader import load_batches
from pipeline.training.occlusion import make_occluder
from pipeline.training.pixels import resize_antialiased, stack_planes
from pipeline.training.sampling import PKBatchSampler
from pipeline.training.views import TrainingBatch, TwoViews, clean_view, two_views

STILL = AugmentOptions(colour_jitter=0.0, flip=0.0, pad=0)
SIZE = (16, 32)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(7).integers(1, 256, (32, 16, 3), dtype=np.uint8)


@pytest.fixture
def images(shards: Path, options: RunOptions) -> TrainingImages:
    return TrainingImages(ShardReader(shards, "train"), options.image)


def batches(
    images: TrainingImages,
    options: RunOptions,
    cut_outs: list[np.ndarray],
    seed: int = 0,
    workers: int = 0,
    first_step: int = 0,
) -> list[TrainingBatch]:
    occluder = make_occluder(options.augment, options.image, cut_outs, images)
    views = TwoViews(images, options.augment, occluder, seed)
    sampler = PKBatchSampler(images.labels, options.training, seed, first_step)
    return list(load_batches(views, sampler, workers, pin=False))


def same(first: list[TrainingBatch], second: list[TrainingBatch]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(torch.equal(a, b) for one, other in pairs for a, b in zip(one, other, strict=True))


def test_without_augmentation_the_view_is_the_image(image: np.ndarray) -> None:
    assert np.array_equal(clean_view(image, SIZE, STILL, np.random.default_rng(0)), image)


def test_flip_mirrors_the_image(image: np.ndarray) -> None:
    always = STILL.model_copy(update={"flip": 1.0})
    assert np.array_equal(clean_view(image, SIZE, always, np.random.default_rng(0)), image[:, ::-1])


def test_pad_and_crop_is_a_window_of_the_padded_image(image: np.ndarray) -> None:
    options = STILL.model_copy(update={"pad": 3})
    padded = np.pad(image, ((3, 3), (3, 3), (0, 0)))
    windows = {padded[y : y + 32, x : x + 16].tobytes(): (y, x) for y in range(7) for x in range(7)}
    views = [clean_view(image, SIZE, options, np.random.default_rng(seed)) for seed in range(400)]
    assert {windows[view.tobytes()] for view in views} == set(windows.values())


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_stacked_planes_are_the_channels_of_each_image(dtype: type) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3)).astype(dtype)
    windows = [each[2:18, 5:25] for each in images]
    stacked = stack_planes(windows)
    assert stacked.is_contiguous()
    assert np.array_equal(stacked.numpy(), np.stack(windows).transpose(0, 3, 1, 2))


def test_padding_may_exceed_the_image(image: np.ndarray) -> None:
    options = STILL.model_copy(update={"pad": 40})
    views = [clean_view(image, SIZE, options, np.random.default_rng(seed)) for seed in range(50)]
    assert {view.shape for view in views} == {image.shape}
    assert any(not view.any() for view in views)


def test_jitter_is_brightness_contrast_and_saturation(image: np.ndarray) -> None:
    """Equals the three steps one by one, without rounding; these colours need no clipping."""
    image = image // 4 + 90
    options = STILL.model_copy(update={"colour_jitter": 0.2})
    grey = np.array([0.299, 0.587, 0.114])
    for seed in range(20):
        b, c, s = 0.8 + 0.4 * np.random.default_rng(seed).random(3)
        expected = image * b
        expected = c * expected + (1 - c) * (expected @ grey).mean()
        expected = s * expected + (1 - s) * (expected @ grey)[..., None]
        result = clean_view(image, SIZE, options, np.random.default_rng(seed))
        assert np.abs(result - expected).max() < 1.0


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("method", ["bicubic", "bilinear"])
def test_jitter_and_resize_follow_their_options(before: bool, method: str) -> None:
    """Test images are always resized bilinearly."""
    large = np.random.default_rng(3).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    options = AugmentOptions(
        colour_jitter=0.4, flip=0.0, pad=0, resize=method, jitter_before_resize=before
    )
    jitter = options.model_copy(update={"jitter_before_resize": True})

    def scale(pixels: np.ndarray) -> np.ndarray:
        return resize_antialiased(pixels, SIZE, method)

    def jittered(pixels: np.ndarray) -> np.ndarray:
        own = pixels.shape[1::-1]
        return clean_view(pixels, own, jitter, np.random.default_rng(1))

    expected = scale(jittered(large)) if before else jittered(scale(large))
    found = clean_view(large, SIZE, options, np.random.default_rng(1))
    assert np.array_equal(found, expected)
    other = jittered(scale(large)) if before else scale(jittered(large))
    assert not np.array_equal(found, other)


@pytest.mark.parametrize("method", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [(31, 47), (128, 256), (90, 20)])
def test_resizing_is_that_of_pillow_to_one_level(method: str, size: tuple[int, int]) -> None:
    """Both scale one axis after the other; these colours stay within 0..255 in between."""
    pixels = np.random.default_rng(3).integers(80, 176, (128, 64, 3), dtype=np.uint8)
    found = resize_antialiased(pixels, size, method)
    resampling = Image.Resampling[method.upper()]
    expected = np.asarray(Image.fromarray(pixels).resize(size, resampling))
    difference = np.abs(found.astype(int) - expected)
    assert difference.max() <= 1
    assert difference.mean() < 0.25


def test_colours_are_those_of_float64_to_one_level() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (41, 30, 3), dtype=np.uint8)
    options = STILL.model_copy(update={"colour_jitter": 1.0})
    grey = (0.299, 0.587, 0.114)
    for seed in range(50):
        b, c, s = 2 * np.random.default_rng(seed).random(3)
        matrix = b * c * ((1 - s) * np.array([grey] * 3) + s * np.eye(3))
        offset = (1 - c) * b * (pixels.mean((0, 1)) * grey).sum()
        expected = np.clip(np.rint(pixels @ matrix.T + offset), 0, 255).astype(int)
        found = clean_view(pixels, (30, 41), options, np.random.default_rng(seed))
        difference = np.abs(found - expected)
        assert difference.max() <= 1
        assert difference.mean() < 0.25


VIEWS = """
import hashlib
import numpy as np
from pipeline.options.run import AugmentOptions
from pipeline.training.occlusion import RealisticOcclusion
from pipeline.training.views import two_views

rng, digest = np.random.default_rng(0), hashlib.sha256()
occluder = RealisticOcclusion([rng.integers(0, 256, (50, 41, 4), dtype=np.uint8)])
for seed in range(20):
    image = rng.integers(0, 256, (61, 33, 3), dtype=np.uint8)
    views = two_views(image, (47, 95), AugmentOptions(), occluder, np.random.default_rng(seed))
    digest.update(b"".join(view.tobytes() for view in views))
print(digest.hexdigest())
"""


def test_views_do_not_depend_on_the_vector_instructions() -> None:
    older = {"OPENCV_CPU_DISABLE": "AVX,AVX2,FMA3,FP16", "ATEN_CPU_CAPABILITY": "default"}
    environments = (os.environ, {**os.environ, **older})
    command = [sys.executable, "-c", VIEWS]
    digests = [subprocess.check_output(command, env=each) for each in environments]
    assert digests[0] == digests[1]


def test_both_views_share_their_geometry_and_colours(image: np.ndarray) -> None:
    clean, second = two_views(
        image, SIZE, AugmentOptions(pad=4), lambda view, rng: view.copy(), np.random.default_rng(1)
    )
    assert np.array_equal(clean, second)
    assert not np.array_equal(clean, image)


def test_without_an_occluder_the_second_view_is_another_clean_one(image: np.ndarray) -> None:
    clean, second = two_views(image, SIZE, AugmentOptions(pad=4), None, np.random.default_rng(1))
    assert not np.array_equal(clean, second)


def test_occlusion_changes_the_second_view_only(
    images: TrainingImages, options: RunOptions, cut_outs: list[np.ndarray]
) -> None:
    roa = batches(images, options, cut_outs)
    other = options.model_copy(
        update={"augment": options.augment.model_copy(update={"occlusion": "random_erasing"})}
    )
    erased = batches(images, other, cut_outs)
    assert all(torch.equal(a.clean, b.clean) for a, b in zip(roa, erased, strict=True))
    assert not any(torch.equal(a.second, b.second) for a, b in zip(roa, erased, strict=True))
    occluded = torch.cat([(batch.clean != batch.second).any(1) for batch in roa]).float()
    assert occluded.mean() > 0.3


def test_batches_do_not_depend_on_workers_or_a_restart(
    images: TrainingImages, options: RunOptions, cut_outs: list[np.ndarray], long: bool
) -> None:
    here = batches(images, options, cut_outs)
    assert len(here) == 6  # 6 identities by 3, 3 epochs
    for workers in (1, 2, 4) if long else (2,):
        assert same(here, batches(images, options, cut_outs, workers=workers))
    for step in (1, 2, 3, 6):  # an epoch has two
        assert same(here[step:], batches(images, options, cut_outs, first_step=step))
    assert same(here[3:], batches(images, options, cut_outs, workers=2, first_step=3))
    assert not same(here, batches(images, options, cut_outs, seed=1))
    assert not torch.equal(here[0].clean, here[2].clean)


def test_batch_has_the_asked_shape_and_types(
    images: TrainingImages, options: RunOptions, cut_outs: list[np.ndarray]
) -> None:
    batch = batches(images, options, cut_outs)[0]
    assert batch.clean.shape == batch.second.shape == (6, 3, 32, 16)
    assert batch.clean.dtype == batch.second.dtype == torch.uint8
    assert batch.labels.dtype == torch.int64
    assert sorted(torch.bincount(batch.labels).tolist(), reverse=True)[:3] == [2, 2, 2]


def test_labels_index_the_sorted_identities(images: TrainingImages) -> None:
    assert images.identities == 6
    assert images.labels.tolist() == [label for label in range(6) for _ in range(4)]


def test_cameras_follow_the_images(
    images: TrainingImages, options: RunOptions, cut_outs: list[np.ndarray]
) -> None:
    assert images.camera_numbers == [1, 2]
    assert images.cameras.tolist() == [0, 1, 0, 1, 1, 0, 1, 0] * 3
    still = options.model_copy(update={"augment": STILL})
    cameras = {images[i].tobytes(): int(images.cameras[i]) for i in range(len(images))}
    found = []
    for batch in batches(images, still, cut_outs, workers=2):
        assert batch.cameras.dtype == torch.int64
        for image, camera in zip(batch.clean, batch.cameras.tolist(), strict=True):
            assert cameras[image.permute(1, 2, 0).numpy().tobytes()] == camera
            found.append(camera)
    assert set(found) == {0, 1}


def test_images_are_resized_to_the_network(shards: Path) -> None:
    images = TrainingImages(ShardReader(shards, "train"), ImageOptions(height=24, width=8))
    source = images.source(0)
    assert images[0].shape == (24, 8, 3) != source.shape
    bilinear = Image.fromarray(source).resize((8, 24), Image.Resampling.BILINEAR)
    assert np.array_equal(images[0], np.asarray(bilinear))


def test_normalise_scales_to_one_and_standardises() -> None:
    means, stds = (0.5, 0.4, 0.3), (0.5, 0.25, 0.2)
    pixels = torch.arange(2 * 3 * 4, dtype=torch.uint8).view(2, 3, 2, 2)
    for c, (mean, std) in enumerate(zip(means, stds, strict=True)):
        expected = (pixels[:, c].double() / 255 - mean) / std
        assert torch.allclose(normalise(pixels, means, stds)[:, c].double(), expected, atol=1e-6)
