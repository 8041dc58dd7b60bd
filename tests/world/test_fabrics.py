from dataclasses import replace

import numpy as np
import pytest

from pipeline.world.fabrics import SLEEVE, Fabric, trim_strength
from pipeline.world.materials import Leather

PLAIN = Fabric((0.2, 0.2, 0.2), (0.6, 0.6, 0.6), grain=0.0)


def uvw(around: np.ndarray, along: np.ndarray, zone: float = 0.0) -> np.ndarray:
    grid = np.stack(np.meshgrid(around, along), -1).reshape(-1, 2)
    return np.concatenate([grid, np.full((len(grid), 1), zone)], 1).astype(np.float32)


def test_stripes_vary_along_the_cloth_only():
    striped = replace(PLAIN, pattern="stripes", scale=0.1)
    along = np.linspace(0, 0.5, 500, endpoint=False)
    column = striped.albedo(uvw(np.array([0.3]), along))[:, 0]
    np.testing.assert_allclose([column.min(), column.max()], [0.2, 0.6], atol=1e-6)
    np.testing.assert_allclose(column[:100], column[100:200], atol=1e-2)
    row = striped.albedo(uvw(np.linspace(-0.5, 0.5, 50), np.array([0.2])))
    assert np.ptp(row) < 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_print_is_on_the_trunk_only(seed):
    printed = replace(PLAIN, pattern="print", scale=0.25, seed=seed)
    around, along = np.linspace(-0.5, 0.5, 80), np.linspace(0, 0.6, 60)
    assert np.ptp(printed.albedo(uvw(around, along))) > 0.1
    assert np.ptp(printed.albedo(uvw(around, along, SLEEVE))) < 1e-6


def test_trims_are_lighter_on_dark_cloth_and_darker_on_light_cloth():
    zip_, beside = (uvw(np.array([around]), np.array([0.3])) for around in (0.0, 0.05))
    assert trim_strength("zipped", zip_, 0.7)[0] == 1
    assert trim_strength("zipped", beside, 0.7)[0] == 0
    for colour, lighter in (((0.01, 0.01, 0.01), True), ((0.5, 0.5, 0.5), False)):
        jacket = Fabric(colour, grain=0.0, trim="zipped", length=0.7)
        assert (jacket.albedo(zip_)[0, 0] > jacket.albedo(beside)[0, 0]) == lighter


def test_lower_part_of_a_shoe_is_its_sole():
    shoe = Leather(PLAIN, sole=(0.8, 0.8, 0.8), height=0.025)
    at = np.array([[0, 0, 0.01], [0, 0, 0.05]], np.float32)
    np.testing.assert_allclose(shoe.albedo(at)[:, 0], [0.8, 0.2], atol=1e-6)
