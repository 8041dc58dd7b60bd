"""Every variant of config.yaml on a tiny backbone: independence of the batch, and gradients.

The variants are read from the file, so that a new one is tested at once.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor, nn

from pipeline.config import load_config
from pipeline.model.build import build_model
from pipeline.model.dpeformer import BatchNormNeck, DPEFormer
from pipeline.options.run import RunOptions
from pipeline.training.losses import training_loss
from pipeline.training.memory import MemoryBank

pytestmark = pytest.mark.no_cover  # slower by half; other tests reach these lines

CONFIG = load_config(
    yaml.safe_load((Path(__file__).resolve().parents[2] / "config.yaml").read_text())
)
COMPONENTS = [
    name for name, patch in CONFIG.variants.items() if name != "dpeformer" and "model" in patch
]
IDENTITIES = 5


def scaled(variant: str) -> RunOptions:
    """Return the options of a variant with a tiny backbone without weights."""
    options = CONFIG.run_options(variant)
    tiny = {"weights": None, "sha256": None, "embed_dim": 32, "depth": 2, "num_heads": 2}
    return options.model_copy(update={"backbone": options.backbone.model_copy(update=tiny)})


def make(variant: str) -> DPEFormer:
    torch.manual_seed(0)
    model = build_model(scaled(variant), IDENTITIES, pretrained=False)
    for neck in model.modules():
        if isinstance(neck, BatchNormNeck):
            nn.init.normal_(neck.running_mean, std=0.1)
            nn.init.uniform_(neck.running_var, 0.5, 2)
    return model.eval()


def random_images(count: int, seed: int) -> Tensor:
    shape = (count, 3, CONFIG.image.height, CONFIG.image.width)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def features(model: DPEFormer, images: Tensor) -> dict[str, Tensor]:
    named = model(images)._asdict()
    selection = named.pop("selection")
    if selection is not None:
        named |= {"kept": selection.kept, "scores": selection.scores}
    return {name: value.double() for name, value in named.items() if value is not None}


@pytest.mark.parametrize("variant", CONFIG.variants)
@torch.no_grad()
def test_features_do_not_depend_on_the_batch(variant: str) -> None:
    """Alone, in another order, and with other images in batches of several sizes."""
    model, images, mates = make(variant), random_images(5, seed=1), random_images(9, seed=2)
    together = features(model, images)
    order = torch.tensor([3, 0, 4, 2, 1])
    permuted = features(model, images[order])
    for i in range(5):
        others = [
            {name: value[i : i + 1] for name, value in together.items()},
            {name: value[order.argsort()][i : i + 1] for name, value in permuted.items()},
        ]
        for size in (1, 4, 9):
            batch = torch.cat([mates[:size], images[i : i + 1]])
            others.append({name: value[-1:] for name, value in features(model, batch).items()})
        for name, value in features(model, images[i : i + 1]).items():
            for other in others:
                assert (other[name] - value).abs().max() <= 1e-5, name


@pytest.mark.parametrize("variant", COMPONENTS)
@torch.no_grad()
def test_each_changed_component_changes_the_features(variant: str) -> None:
    """Both networks have the same weights wherever the shapes match."""
    model, full = make(variant), make("dpeformer")
    own = model.state_dict()
    shared = {k: v for k, v in full.state_dict().items() if k in own and v.shape == own[k].shape}
    model.load_state_dict(shared, strict=False)
    ours, theirs = (features(net, random_images(4, seed=3)) for net in (model, full))
    assert ours.keys() != theirs.keys() or any(
        value.shape != theirs[name].shape or (value - theirs[name]).abs().max() > 1e-3
        for name, value in ours.items()
    )


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


@pytest.mark.parametrize("variant", CONFIG.variants)
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
