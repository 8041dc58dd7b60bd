"""The whole network with a tiny ViT: independence of the batch, effect of each component."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pipeline.errors import InputError
from pipeline.model.backbone import encode
from pipeline.model.build import build_model
from pipeline.model.dpeformer import BatchNormNeck, DPEFormer, Features
from pipeline.options.run import BackboneOptions, ImageOptions, ModelOptions, RunOptions
from tests.tiny import tiny_backbone

VARIANTS: dict[str, dict] = {
    "baseline": {"selection": "none"},
    "all": {"selection": "all"},
    "dpeformer": {},
    "raster": {"order": "raster", "threshold": "otsu"},
    "stripe": {"order": "stripe", "threshold": "otsu", "similarity": "cosine", "proxy": "class"},
    "no_fusion": {"fusion": "none"},
    "addition": {"fusion": "addition"},
    "concatenation": {"fusion": "concatenation"},
    "sparse": {"order": "stripe", "sparse_stripe": "kept"},
    "all_no_fusion": {"selection": "all", "fusion": "none"},
    "two_parts": {"parts": 2},
    "stripe_concatenation": {"order": "stripe", "threshold": "otsu", "fusion": "concatenation"},
}


def make(precision: str = "float32", **values: object) -> DPEFormer:
    torch.manual_seed(0)
    options = RunOptions(
        image=ImageOptions(height=64, width=32),
        backbone=tiny_backbone(depth=2),
        model=ModelOptions(**({"k_min": 6} | values)),
    )
    model = build_model(options, 11, pretrained=False, precision=precision)
    for module in model.modules():
        if isinstance(module, BatchNormNeck):
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    return model.eval()


def images(count: int = 5) -> Tensor:
    return torch.randn(count, 3, 64, 32, generator=torch.Generator().manual_seed(1))


def tensors(features: Features) -> dict[str, Tensor]:
    named = {name: value for name, value in features._asdict().items() if name != "selection"}
    if features.selection is not None:
        named |= features.selection._asdict()
    return {name: value for name, value in named.items() if value is not None}


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_features_do_not_depend_on_the_batch(variant: str) -> None:
    model, batch = make(**VARIANTS[variant]), images()
    together = tensors(model(batch))
    order = torch.tensor([3, 0, 4, 2, 1])
    permuted = tensors(model(batch[order]))
    alone = [tensors(model(image[None])) for image in batch]
    for name, values in together.items():
        for other in (torch.cat([one[name] for one in alone]), permuted[name][order.argsort()]):
            assert torch.allclose(values.double(), other.double(), atol=1e-5, rtol=0), name


@pytest.mark.parametrize("variant", VARIANTS)
def test_shapes_and_absent_branches(variant: str) -> None:
    model = make(**VARIANTS[variant])
    features, parts = model(images()), model.parts
    logits = model.classify(features)
    assert features.global_.shape == (5, 32)
    assert features.coarse.shape == (5, parts * 32)
    assert logits.global_.shape == logits.coarse.shape == (5, 11)
    assert (features.selection is not None) == (model.selection == "dpsm")
    if model.selection == "none":
        assert features.parts is features.blended is logits.parts is logits.blended is None
        return
    assert torch.equal(features.parts.flatten(1), features.blended)
    twice = 2 if model.fusion == "concatenation" else 1
    assert features.parts.shape == (5, parts, twice * 32)
    assert logits.parts.shape == (5, parts, 11)
    assert logits.blended.shape == (5, 11)
    weights = model.part_classifiers.weight
    own = torch.stack([features.parts[:, p] @ weights[p].t() for p in range(parts)], dim=1)
    assert torch.allclose(logits.parts, own, atol=1e-6)


@torch.no_grad()
def test_the_global_feature_is_the_class_token() -> None:
    model = make()
    tokens = model.backbone.forward_features(images())
    assert torch.allclose(model(images()).global_, tokens[:, 0], atol=1e-5)
    stripes = tokens[:, 1:].unflatten(1, (4, -1)).mean(dim=2).flatten(1)
    assert torch.allclose(model(images()).coarse, model.coarse_neck(stripes), atol=1e-5)


@torch.no_grad()
def test_class_neck_precedes_the_global_feature_and_its_classifier() -> None:
    model = make(class_neck=True)
    token = model.backbone.forward_features(images())[:, 0]
    features = model(images())
    assert torch.allclose(features.global_, model.global_neck(token), atol=1e-5)
    logits = features.global_ @ model.global_classifier.weight.t()
    assert torch.allclose(model.classify(features).global_, logits, atol=1e-5)


@pytest.mark.parametrize("variant", ["baseline", "dpeformer", "concatenation"])
@torch.no_grad()
def test_batch_norm_of_two_views_equals_two_forward_passes(variant: str) -> None:
    """One pass over both views equals two passes, in features and running statistics."""
    together, apart, joint = (
        make(class_neck=True, batch_norm=kind, **VARIANTS[variant]).train()
        for kind in ("view", "view", "joint")
    )
    for model in (together, apart, joint):
        model.backbone.eval()  # no drop-path
    views = images(6), 3 * images(6) + 1
    both = tensors(together(torch.cat(views), views=2))
    single = [tensors(apart(view)) for view in views]
    mixed = tensors(joint(torch.cat(views), views=2))
    for name, values in both.items():
        expected = torch.cat([one[name] for one in single])
        assert torch.allclose(values.double(), expected.double(), atol=1e-5), name
    assert not torch.allclose(both["coarse"], mixed["coarse"], atol=1e-2)
    for name, buffer in together.named_buffers():
        assert torch.allclose(buffer, apart.get_buffer(name), atol=1e-6), name
    for module in together.modules():
        if isinstance(module, BatchNormNeck):
            assert module.num_batches_tracked == 2


@torch.no_grad()
def test_blending_uses_the_class_token_before_batch_norm() -> None:
    model = make(selection="all")
    class_token, patches = encode(model.backbone, images())
    stripes = patches.unflatten(1, (4, -1)).mean(dim=2)
    expected = model.blended_neck(model.blending(stripes, class_token).flatten(1))
    assert torch.allclose(model(images()).blended, expected, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"selection": "all"},
        {"fusion": "none"},
        {"k_min": 20},
        {"order": "raster"},
        {"order": "stripe"},
        {"fusion": "addition"},
        {"proxy": "class"},
        {"threshold": "otsu"},
    ],
)
@torch.no_grad()
def test_each_component_changes_the_blended_feature(change: dict) -> None:
    model, other = make(), make(**change)
    other.load_state_dict(model.state_dict(), strict=False)
    assert torch.allclose(model(images()).coarse, other(images()).coarse, atol=1e-5)
    assert not torch.allclose(model(images()).blended, other(images()).blended, atol=1e-3)


@torch.no_grad()
def test_class_token_is_added_or_concatenated_to_each_part() -> None:
    for fusion in ("addition", "concatenation"):
        model = make(selection="all", fusion=fusion)
        class_token, patches = encode(model.backbone, images())
        parts = []
        for stripe in patches.unflatten(1, (4, -1)).mean(dim=2).unbind(1):
            pair = (stripe, class_token)
            parts.append(sum(pair) if fusion == "addition" else torch.cat(pair, dim=1))
        expected = model.blended_neck(torch.cat(parts, dim=1))
        assert torch.allclose(model(images()).blended, expected, atol=1e-5)


def test_absent_branch_has_no_weights() -> None:
    names = " ".join(make(selection="none").state_dict())
    assert "blend" not in names
    assert "part" not in names
    assert "blending" not in " ".join(make(fusion="none").state_dict())


def test_batch_norm_biases_are_frozen_at_zero() -> None:
    model = make(class_neck=True)
    necks = [module for module in model.modules() if isinstance(module, BatchNormNeck)]
    assert len(necks) == 3
    for neck in necks:
        assert not neck.bias.requires_grad
        assert not neck.bias.any()
        assert neck.weight.requires_grad


def test_heads_are_float32_after_a_bfloat16_backbone() -> None:
    low, high = make(precision="bfloat16")(images()), make()(images())
    for name, values in tensors(low).items():
        assert values.dtype in (torch.float32, torch.int64, torch.bool), name
    assert 0 < (low.coarse - high.coarse).abs().max() < 0.2


def test_width_that_16_does_not_divide_is_refused() -> None:
    backbone = BackboneOptions(name="vit_tiny_patch16_224", embed_dim=24, depth=1, num_heads=2)
    with pytest.raises(InputError, match=r"found 24.*embed_dim"):
        build_model(RunOptions(backbone=backbone), 3, pretrained=False)
    plain = RunOptions(backbone=backbone, model=ModelOptions(fusion="none"))
    assert build_model(plain, 3, pretrained=False).blended_neck.num_features == 96
