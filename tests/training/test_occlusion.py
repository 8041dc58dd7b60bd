from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from pipeline.errors import InputError
from pipeline.model.backbone import normalise
from pipeline.options.run import AugmentOptions, ErasingOptions, ImageOptions
from pipeline.training.occlusion import (
    CutAndPaste,
    RandomErasing,
    RealisticOcclusion,
    make_occluder,
    random_box,
)

HEIGHT, WIDTH = 64, 32


@pytest.fixture
def image() -> np.ndarray:
    # even values only: occluders below paste odd ones, so the origin of each pixel is known
    return 2 * np.random.default_rng(5).integers(0, 127, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def bounds(changed: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


def opaque(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 4), 255, np.uint8)


@pytest.mark.parametrize(("height", "width"), [(41, 20), (300, 30), (40, 20), (10, 50), (20, 20)])
def test_roa_pastes_a_corner_of_the_right_size(image: np.ndarray, height: int, width: int) -> None:
    occluder = RealisticOcclusion([opaque(height, width)])
    rng = np.random.default_rng(0)
    edges, sizes = set(), set()
    for _ in range(200):
        top, left, bottom, right = bounds((occluder(image, rng) == 255).all(2))
        edges.add((top == 0, left == 0, bottom == HEIGHT, right == WIDTH))
        sizes.add((bottom - top, right - left))
    if height / width > 2:
        assert {h for h, _ in sizes} == {HEIGHT}
        assert {w for _, w in sizes} == set(range(WIDTH // 2, 3 * WIDTH // 4 + 1))
        assert edges == {(True, True, True, False), (True, False, True, True)}
    else:
        assert {w for _, w in sizes} == {WIDTH}
        heights = {h for h, _ in sizes}
        assert min(heights) >= HEIGHT // 2
        assert max(heights) <= 3 * HEIGHT // 4
        assert len(heights) > 10
        assert edges == {(True, True, False, True), (False, True, True, True)}


def bilinear(old: int, new: int) -> np.ndarray:
    """(new, old): weights of the old pixels in each new one, antialiased when shrinking."""
    scale, weights = old / new, np.zeros((new, old))
    for to, from_ in np.ndindex(new, old):
        distance = abs(from_ + 0.5 - (to + 0.5) * scale) / max(scale, 1)
        weights[to, from_] = max(0, 1 - distance)
    return weights / weights.sum(axis=1, keepdims=True)


def paste_one(image: np.ndarray, cut_out: np.ndarray, top: int, left: int) -> np.ndarray:
    """Pixel by pixel; `cut_out` (h, w, 4) is premultiplied, in 0..255."""
    result = image.astype(float)
    for y, x in np.ndindex(cut_out.shape[:2]):
        alpha = cut_out[y, x, 3] / 255
        result[top + y, left + x] = cut_out[y, x, :3] + (1 - alpha) * result[top + y, left + x]
    return result


def every_occlusion(image: np.ndarray, cut_out: np.ndarray) -> Iterator[np.ndarray]:
    """Yield every result that the paper's rule allows for an image and an object."""
    height, width = image.shape[:2]
    premultiplied = cut_out.astype(float)
    premultiplied[..., :3] *= premultiplied[..., 3:] / 255
    tall = cut_out.shape[0] / cut_out.shape[1] > 2
    free = width if tall else height
    for length in range(math.floor(free / 2), math.ceil(3 * free / 4) + 1):
        h, w = (height, length) if tall else (length, width)
        rows, columns = bilinear(cut_out.shape[0], h), bilinear(cut_out.shape[1], w)
        resized = np.einsum("yi,xj,ijc->yxc", rows, columns, premultiplied)
        for flipped in (resized, resized[:, ::-1]):
            for top, left in {(0, 0), (height - h, 0), (0, width - w), (height - h, width - w)}:
                yield paste_one(image, flipped, top, left)


@pytest.mark.parametrize(("height", "width"), [(9, 4), (8, 4), (5, 9), (30, 12), (13, 17)])
@pytest.mark.parametrize("size", [(24, 12), (19, 11)])
def test_roa_equals_the_paper_pixel_by_pixel(
    height: int, width: int, size: tuple[int, int]
) -> None:
    """Each result equals one that the rule allows; others differ by dozens of levels.

    Tolerance: premultiplying, both passes of resizing, alpha and the blend round to whole levels.
    """
    rng = np.random.default_rng(height)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    cut_out = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
    allowed = np.stack(list(every_occlusion(image, cut_out)))
    occluder = RealisticOcclusion([cut_out])
    found = set()
    for _ in range(40):
        errors = np.abs(allowed - occluder(image, rng)).max(axis=(1, 2, 3))
        assert errors.min() <= 3
        found.add(int(errors.argmin()))
    assert len(found) > 10


def test_roa_samples_every_object_of_the_bank(image: np.ndarray) -> None:
    bank = [np.full((9, 9, 4), (shade, shade, shade, 255), np.uint8) for shade in (1, 101, 201)]
    occluder, rng = RealisticOcclusion(bank), np.random.default_rng(0)
    results = [occluder(image, rng) for _ in range(60)]
    sampled = [{1, 101, 201} & set(np.unique(result).tolist()) for result in results]
    assert all(len(shades) == 1 for shades in sampled)
    assert all(10 < sampled.count({shade}) < 30 for shade in (1, 101, 201))


def test_roa_flips_half_of_the_objects(image: np.ndarray) -> None:
    half_red = opaque(30, 30)
    half_red[:, 15:, :3] = 1
    occluder = RealisticOcclusion([half_red])
    rng = np.random.default_rng(0)
    red_left = [(occluder(image, rng) == 255).all(2)[:, :8].any() for _ in range(200)]
    assert 70 < sum(red_left) < 130


def test_roa_blends_with_alpha(image: np.ndarray) -> None:
    """A uniform object of alpha a and colour c: every pixel is a c + (1 - a) x, to the nearest."""
    cut_out = np.full((30, 30, 4), (200, 100, 0, 77), np.uint8)
    result = RealisticOcclusion([cut_out])(image, np.random.default_rng(3)).astype(float)
    alpha = 77 / 255
    expected = alpha * np.array([200, 100, 0]) + (1 - alpha) * image
    changed = (result != image).any(2)
    assert changed.mean() > 0.4
    assert np.abs(result - expected)[changed].max() <= 1.0


def test_roa_keeps_pixels_under_transparent_ones(image: np.ndarray) -> None:
    cut_out = np.full((60, 20, 4), 255, np.uint8)
    cut_out[..., 3] = 0
    result = RealisticOcclusion([cut_out])(image, np.random.default_rng(0))
    assert np.array_equal(result, image)
    assert result is not image


def test_random_erasing_changes_one_rectangle_in_half_of_the_images(image: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    erase = RandomErasing(ErasingOptions(), ImageOptions())
    fractions = []
    for _ in range(300):
        changed = (erase(image, rng) != image).any(2)
        if changed.any():
            top, left, bottom, right = bounds(changed)
            assert changed[top:bottom, left:right].all()
        fractions.append(changed.mean())
    erased = [fraction for fraction in fractions if fraction]
    assert 120 < len(erased) < 180
    assert min(erased) > 0.01
    assert max(erased) < 0.36


def test_random_erasing_obeys_its_probability_area_and_aspect(image: np.ndarray) -> None:
    options = ErasingOptions(
        probability=1.0, min_area=0.1, max_area=0.12, min_aspect=1.9, max_aspect=2.1
    )
    erase, rng = RandomErasing(options, ImageOptions()), np.random.default_rng(0)
    for _ in range(100):
        top, left, bottom, right = bounds((erase(image, rng) != image).any(2))
        assert (bottom - top) / (right - left) == pytest.approx(2, abs=0.25)
        assert (bottom - top) * (right - left) / image[..., 0].size == pytest.approx(0.11, abs=0.02)


@pytest.mark.parametrize(
    ("fill", "mean", "std"),
    [
        ("gaussian", (0, 0, 0), (1, 1, 1)),
        ("raw_gaussian", (-2, -2, -1), (4, 5, 2)),  # (N(0, 1) - mean) / std
        ("mean", (0, 0, 0), (0, 0, 0)),
        ("noise", (0, 0.5, 0), (1.155, 1.443, 0.577)),  # uniform in 0..1: deviation 1 / sqrt(12)
    ],
)
def test_random_erasing_fill_after_normalisation(
    fill: str, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    image = ImageOptions(mean=(0.5, 0.4, 0.5), std=(0.25, 0.2, 0.5))
    options = ErasingOptions(probability=1.0, min_area=0.5, max_area=0.6, fill=fill)
    black = np.zeros((128, 128, 3), np.uint8)
    result = RandomErasing(options, image)(black, np.random.default_rng(0))
    top, left, bottom, right = bounds((result != 0).any(2))
    pixels = torch.from_numpy(result[top:bottom, left:right]).permute(2, 0, 1)[None]
    seen = normalise(pixels, image.mean, image.std)[0].flatten(1)
    np.testing.assert_allclose(seen.mean(1), mean, atol=0.15)
    np.testing.assert_allclose(seen.std(1), std, atol=0.15)


def test_cut_and_paste_takes_pixels_of_another_image(image: np.ndarray) -> None:
    other = image + 1
    occluder = CutAndPaste([other])
    rng = np.random.default_rng(0)
    for _ in range(50):
        result = occluder(image, rng)
        changed = result % 2 == 1
        top, left, bottom, right = bounds(changed.any(2))
        assert changed[top:bottom, left:right].all()
        assert not changed.sum() - 3 * (bottom - top) * (right - left)
        patch = result[top:bottom, left:right]
        windows = np.lib.stride_tricks.sliding_window_view(other, patch.shape)
        assert (windows == patch).all((-1, -2, -3)).any()


def test_random_boxes_fit_even_into_thin_images() -> None:
    rng = np.random.default_rng(0)
    for height, width in ((128, 64), (5, 200), (200, 3), (1, 1)):
        for _ in range(50):
            top, left, h, w = random_box((height, width, 3), ErasingOptions(), rng)
            assert h > 0
            assert w > 0
            assert top >= 0
            assert left >= 0
            assert top + h <= height
            assert left + w <= width


@pytest.mark.parametrize("name", ["roa", "random_erasing", "cut_and_paste"])
def test_occluders_share_one_interface(
    name: str, image: np.ndarray, cut_outs: list[np.ndarray]
) -> None:
    options = AugmentOptions(occlusion=name)
    occluder = make_occluder(options, ImageOptions(), cut_outs, [image[::-1]])
    assert occluder is not None
    before = image.copy()
    results = [occluder(image, np.random.default_rng(seed)) for seed in (0, 0, *range(1, 10))]
    assert np.array_equal(image, before)
    assert all(result.shape == image.shape for result in results)
    # a batch must be of one type; the fill of erasing is beyond 0..255
    kind = np.float32 if name == "random_erasing" else np.uint8
    assert all(result.dtype == kind for result in results)
    assert np.array_equal(results[0], results[1])
    assert len({result.tobytes() for result in results}) > 3


def test_none_is_no_occluder_and_roa_needs_objects(image: np.ndarray) -> None:
    assert make_occluder(AugmentOptions(occlusion="none"), ImageOptions(), [], [image]) is None
    with pytest.raises(InputError, match=r"augment\.occlusion.*found none"):
        make_occluder(AugmentOptions(), ImageOptions(), [], [image])
