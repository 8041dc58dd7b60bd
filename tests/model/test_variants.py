"""Gradients of every variant of config.yaml, on a tiny backbone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor, nn

from pipeline.load_config import load_config
from pipeline.model.build import build_model
from pipeline.model.dpeformer import DPEFormer
from pipeline.options.run import RunOptions
from pipeline.training.losses import training_loss
from pipeline.training.memory import MemoryBank
from tests.cases import long_but

pytestmark = pytest.mark.no_cover  # slower by half; other tests reach these lines

CONFIG = load_config(
    yaml.safe_load((Path(__file__).resolve().parents[2] / "config.yaml").read_text())
)
IDENTITIES = 5


def scaled(variant: str) -> RunOptions:
    """Return the options of a variant with a tiny backbone without weights."""
    options = CONFIG.run_options(variant)
    tiny = {"weights": None, "sha256": None, "embed_dim": 32, "depth": 2, "num_heads": 2}
    return options.model_copy(update={"backbone": options.backbone.model_copy(update=tiny)})


class Loss(nn.Module):
    """The training loss of two views (2, B, 3, H, W) as a function of images and weights."""

    def __init__(self, model: DPEFormer) -> None:
        super().__init__()
        self.model = model
        self.memory = MemoryBank(IDENTITIES, model.coarse_neck.num_features)
        self.memory.centres.normal_()

    def forward(self, views: Tensor) -> Tensor:
        found = [self.model(view) for view in views]
        logits = [self.model.classify(view) for view in found]
        labels = torch.tensor([0, 3, 3])
        return training_loss(*found, *logits, labels, {"coarse": self.memory})["total"]


@pytest.mark.parametrize(
    "variant", long_but(CONFIG.variants, "baseline", "dpeformer", "dpeformer_stripe")
)
def test_gradient_of_the_whole_loss_equals_differences(variant: str) -> None:
    """For every weight, along a random direction, against central differences in float64.

    DPSM's selection is locally constant. (torch's gradcheck takes minutes to fail.)
    """
    options = scaled(variant)
    small = {
        "image": options.image.model_copy(update={"height": 64, "width": 16}),
        "model": options.model.model_copy(update={"k_min": 5}),
    }
    torch.manual_seed(0)
    model = build_model(options.model_copy(update=small), IDENTITIES, pretrained=False)
    loss = Loss(model).double().train()
    views = torch.randn(2, 3, 3, 64, 16, dtype=torch.float64)
    loss(views).backward()
    for name, weight in loss.named_parameters():
        if not weight.requires_grad:
            continue
        direction = 1e-6 * torch.randn_like(weight)
        ends = [loss_after_step(loss, weight, sign * direction, views) for sign in (1, -1)]
        expected = (ends[0] - ends[1]) / 2
        found = (weight.grad * direction).sum()
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-14, msg=name)


@torch.no_grad()
def loss_after_step(loss: Loss, weight: Tensor, step: Tensor, views: Tensor) -> Tensor:
    weight += step
    value = loss(views)
    weight -= step
    return value
