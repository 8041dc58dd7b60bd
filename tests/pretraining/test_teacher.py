"""The teacher's features: whitening and files, without the network itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import InputError
from pipeline.files import sha256
from pipeline.pretraining.teacher import _whiten, read_teacher, read_teacher_features
from pipeline.pretraining.vit_people import TOKENS
from tests.pretraining.conftest import write_random_teacher_features


def test_whitening_gives_principal_components_of_deviation_1() -> None:
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6)) + 3
    features = torch.from_numpy(mixed).half()
    found = _whiten(features, features.float(), 4)
    assert found.shape == (500, 4)
    assert found.dtype == torch.float16
    exact = features.double().numpy()
    left, _, _ = np.linalg.svd(exact - exact.mean(0), full_matrices=False)
    expected = left[:, :4] * np.sqrt(len(exact) - 1)
    signs = np.sign((expected * found.numpy()).sum(0))
    np.testing.assert_allclose(found.numpy(), expected * signs, atol=0.01)


def test_whitening_uses_the_components_of_the_fitted_images() -> None:
    rng = np.random.default_rng(1)
    features = torch.from_numpy(rng.normal(size=(300, 5))).half()
    whole = _whiten(features, features[:100].float(), 3)
    torch.testing.assert_close(whole[100:], _whiten(features[100:], features[:100].float(), 3))


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "teacher.whl"
    wheel.write_bytes(b"another one")
    with pytest.raises(InputError, match=rf"teacher\.whl: expected .*0\.1\.0.*{sha256(wheel)}"):
        read_teacher(wheel)


def test_teacher_features_are_read_as_written(tmp_path: Path) -> None:
    features = read_teacher_features(write_random_teacher_features(tmp_path / "lessons.npz", 3))
    assert features.patches.shape == (3, TOKENS, 32)
    assert features.images.shape == (3, 64)
    assert features.patches.dtype == features.images.dtype == torch.float16
