"""The six defects of the released code that the implementation avoids, one test each."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.data.checks import check_dataset
from pipeline.data.datasets.market1501 import MARKET1501
from pipeline.errors import InputError
from pipeline.model.build import build_model
from pipeline.model.dpsm import pool_parts, select_tokens
from pipeline.model.fbm import FeatureBlending
from pipeline.options.run import (
    AugmentOptions,
    ImageOptions,
    RunOptions,
)
from pipeline.training.occlusion import make_occluder
from pipeline.training.views import two_views
from tests.tiny import tiny_backbone


@torch.no_grad()
def test_1_the_global_feature_is_the_class_token() -> None:
    options = RunOptions(
        image=ImageOptions(height=64, width=32),
        backbone=tiny_backbone(),
    )
    torch.manual_seed(0)
    model = build_model(options, 3, pretrained=False).eval()
    images = torch.randn(2, 3, 64, 32)
    tokens = model.backbone.forward_features(images)
    found = model(images).global_
    assert torch.allclose(found, tokens[:, 0], atol=1e-5)
    assert not torch.allclose(found, tokens[:, 1], atol=1e-2)


@torch.no_grad()
def test_2_blending_does_not_mix_images_of_a_batch() -> None:
    blending = FeatureBlending(48, 4)
    parts, global_ = torch.randn(6, 4, 48), torch.randn(6, 48)
    together = blending(parts, global_)
    parts[1:], global_[1:] = torch.randn(5, 4, 48), torch.randn(5, 48)
    for mates in (1, 2, 6):
        assert (blending(parts[:mates], global_[:mates])[0] - together[0]).abs().max() <= 1e-5


def test_3_each_image_has_its_own_number_of_tokens() -> None:
    """The largest drop is after 9 tokens in one image of the batch, after 3 in the other."""
    scores = torch.linspace(2, 1, 16).repeat(2, 1)
    scores[0, 9:] -= 5
    scores[1, 3:] -= 5
    class_token, patches = torch.tensor([[1.0], [1.0]]), scores[..., None]
    selection = select_tokens(class_token, patches, k_min=1)
    assert selection.k.tolist() == [9, 3]
    pooled = pool_parts(patches, selection, rows=4, parts=1)[:, 0, 0]
    torch.testing.assert_close(pooled, torch.stack([scores[0, :9].mean(), scores[1, :3].mean()]))


def test_4_all_tokens_before_the_largest_drop_are_kept() -> None:
    class_token = torch.tensor([[1.0]])
    patches = torch.tensor([1.0, 0.2, 0.9, 0.1, 0.8]).view(1, 5, 1)
    selection = select_tokens(class_token, patches, k_min=1)
    assert selection.kept.tolist() == [[True, False, True, False, True]]


def test_5_every_second_view_is_occluded_unless_switched_off() -> None:
    """An opaque object covers at least half of every second view."""
    image = np.zeros((32, 16, 3), np.uint8)
    options, network = AugmentOptions(), ImageOptions()
    occluder = make_occluder(options, network, [np.full((9, 9, 4), 255, np.uint8)], [image])
    without = make_occluder(AugmentOptions(occlusion="none"), network, [], [image])
    for seed in range(50):
        clean, second = two_views(image, (16, 32), options, occluder, np.random.default_rng(seed))
        assert (second == 255).all(axis=2).mean() >= 0.5
        assert not clean.any()
        assert not two_views(image, (16, 32), options, without, np.random.default_rng(seed))[
            1
        ].any()


def test_6_counts_other_than_published_are_refused() -> None:
    rows = [("train", 1, 1), ("train", 1, 2), ("query", 2, 1), ("gallery", 2, 2)]
    table = pd.DataFrame(rows, columns=["split", "identity", "camera"])
    with pytest.raises(InputError, match=r"train: expected 12936 images of 751 .* found 2 of 1"):
        check_dataset(table, MARKET1501.counts, MARKET1501.cameras, "error")
