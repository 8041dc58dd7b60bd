from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.world.sensor import Sensor, develop, draw_sensor

PLAIN = Sensor(
    exposure=1.0,
    white_balance=(1.0, 1.0, 1.0),
    saturation=1.0,
    gamma=2.2,
    shoulder=0.0,
    contrast=0.0,
    black=0.0,
    white=1.0,
    resolution=64.0,
    blur=0.0,
    halo=0.0,
    noise=0.0,
    chroma_noise=0.0,
    quality=95,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def grey(value: float, size: tuple[int, int] = (64, 32)) -> np.ndarray:
    return np.full((*size, 3), value, np.float32)


def gradient() -> np.ndarray:
    return grey(1) * np.linspace(0, 1, 64, dtype=np.float32)[:, None, None]


def test_constant_light_stays_constant_without_noise() -> None:
    image = develop(grey(0.2), PLAIN, rng())
    assert image.shape == (64, 32, 3)
    assert image.dtype == np.uint8
    assert np.ptp(image) <= 1
    assert abs(int(image[0, 0, 0]) - 255 * 0.2 ** (1 / 2.2)) < 8  # each image's gain differs


def test_noise_has_its_strength_around_the_constant() -> None:
    plain = replace(PLAIN, resolution=128.0)
    image = develop(grey(0.2, (128, 64)), replace(plain, noise=4.0), rng()).astype(float)
    clean = develop(grey(0.2, (128, 64)), plain, rng())
    assert 2.5 < image.std() < 5
    assert abs(image.mean() - clean.mean()) < 1


def test_colour_noise_changes_hue_and_not_only_brightness() -> None:
    images = [
        develop(grey(0.2), replace(PLAIN, noise=noise, chroma_noise=chroma), rng()).astype(int)
        for noise, chroma in ((4.0, 0.0), (0.0, 8.0))
    ]
    grey_noise, colour_noise = (np.abs(image[..., 0] - image[..., 2]).mean() for image in images)
    assert colour_noise > 3 * grey_noise + 1


def test_low_quality_loses_detail() -> None:
    light = np.random.default_rng(1).uniform(0.1, 0.3, (64, 32, 1)).astype(np.float32).repeat(3, 2)
    fine, coarse = (
        np.abs(np.diff(develop(light, replace(PLAIN, quality=quality), rng()).astype(int), axis=0))
        for quality in (95, 15)
    )
    assert coarse.mean() < 0.95 * fine.mean()


def test_more_exposure_is_brighter() -> None:
    levels = [
        develop(grey(0.2), replace(PLAIN, exposure=exposure), rng()).mean()
        for exposure in (0.3, 0.6, 1.2, 2.4)
    ]
    assert levels == sorted(levels)
    assert levels[0] < levels[-1] - 50


def test_black_and_white_are_the_levels_of_nothing_and_of_too_much() -> None:
    sensor = replace(PLAIN, black=0.1, white=0.9, shoulder=0.5, contrast=0.5)
    assert develop(grey(0), sensor, rng()).mean() == pytest.approx(25.5, abs=1)
    assert develop(grey(50), sensor, rng()).mean() == pytest.approx(229.5, abs=1)


def test_tones_rise() -> None:
    for seed in range(20):
        tones = draw_sensor(rng(seed), 0.3).tones.astype(int)
        assert (np.diff(tones) >= 0).all()


def test_saturation_0_is_grey_and_white_balance_tints() -> None:
    red = grey(0.2) * np.array([1, 0.3, 0.3], np.float32)
    assert np.ptp(develop(red, replace(PLAIN, saturation=0.0), rng()).mean((0, 1))) < 1
    warm = develop(grey(0.2), replace(PLAIN, white_balance=(1.2, 1.0, 0.8)), rng()).mean((0, 1))
    assert warm[0] > warm[1] > warm[2]


def test_blur_and_a_small_detection_soften() -> None:
    edge = grey(0.05)
    edge[:, 16:] = 0.6
    sharp, blurred, small = (
        np.abs(np.diff(develop(edge, sensor, rng()).astype(int), axis=1)).max()
        for sensor in (PLAIN, replace(PLAIN, blur=8.0), replace(PLAIN, resolution=26.0))
    )
    assert blurred < 0.6 * sharp
    assert small < 0.8 * sharp


def test_a_halo_overshoots_at_edges() -> None:
    edge = grey(0.1)
    edge[:, 16:] = 0.3
    plain, halo = (develop(edge, s, rng()) for s in (PLAIN, replace(PLAIN, halo=120.0)))
    assert int(halo.max()) > int(plain.max()) + 10
    assert int(halo.min()) < int(plain.min()) - 10


def test_same_seed_same_bytes() -> None:
    sensor = draw_sensor(rng(3), 0.3)
    assert sensor == draw_sensor(rng(3), 0.3)
    first, again = (develop(gradient(), sensor, rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (develop(gradient(), sensor, rng(5)) != first).any()


def test_a_drawn_sensor_adapts_to_the_light_of_its_place() -> None:
    bright, dark = (draw_sensor(rng(1), luminance) for luminance in (0.8, 0.1))
    assert bright.exposure * 0.8 == pytest.approx(dark.exposure * 0.1)
