"""FBM against a loop over images, parts, tokens and heads, after the paper's description."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.model.fbm import FeatureBlending, PartLinear, PartNorm

CASES = [(1, 16, 1), (3, 48, 4), (5, 96, 2), (2, 192, 8)]
"""Images, width, parts."""


def make(width: int, parts: int, dtype: torch.dtype = torch.float32) -> FeatureBlending:
    torch.manual_seed(width + parts)
    blending = FeatureBlending(width, parts).to(dtype)
    for parameter in blending.parameters():  # norms and biases start as ones and zeros
        nn.init.normal_(parameter, std=0.5)
    return blending


def random_inputs(
    images: int, width: int, parts: int, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(images)
    shapes = (images, parts, width), (images, width)
    return tuple(torch.randn(shape, generator=generator).to(dtype) for shape in shapes)


def linear(token: np.ndarray, layer: PartLinear, p: int) -> np.ndarray:
    weight, bias = array(layer.weight)[p], array(layer.bias)[16 * p : 16 * p + 16]
    return np.array([weight[o] @ token + bias[o] for o in range(16)])


def norm(token: np.ndarray, layer: PartNorm, p: int) -> np.ndarray:
    mean = sum(token) / 16
    variance = sum((token - mean) ** 2) / 16
    weight, bias = (array(v)[16 * p : 16 * p + 16] for v in (layer.weight, layer.bias))
    return (token - mean) / math.sqrt(variance + 1e-5) * weight + bias


def gelu(x: float) -> float:
    return x * 0.5 * (1 + math.erf(x / math.sqrt(2)))


def array(values: Tensor) -> np.ndarray:
    return values.detach().double().numpy()


def blend_one(
    blending: FeatureBlending, part: np.ndarray, global_: np.ndarray, p: int
) -> tuple[np.ndarray, np.ndarray]:
    """Part `p` (D,) of an image and its global feature (D,): blended (D,), attention (2, T, T)."""
    count = len(part) // 16
    cut = [slice(16 * t, 16 * t + 16) for t in range(count)]
    tokens = [part[c] + array(blending.part_position)[p, t] for t, c in enumerate(cut)]
    source = [global_[c] + array(blending.global_position)[p, t] for t, c in enumerate(cut)]
    source = [norm(token, blending.global_norm, p) for token in source]
    queries = [linear(norm(token, blending.part_norm, p), blending.query, p) for token in tokens]
    keys = [linear(token, blending.key, p) for token in source]
    values = [linear(token, blending.value, p) for token in source]
    before, first, _, second = blending.feed_forward
    attention, blended = np.zeros((2, count, count)), []
    for t, token in enumerate(tokens):
        attended = np.zeros(16)
        for h, head in enumerate((slice(0, 8), slice(8, 16))):
            powers = [math.exp(queries[t][head] @ key[head] / math.sqrt(8)) for key in keys]
            attention[h, t] = np.array(powers) / sum(powers)
            attended[head] = sum(
                a * value[head] for a, value in zip(attention[h, t], values, strict=True)
            )
        token = token + linear(attended, blending.projection, p)
        hidden = [gelu(x) for x in linear(norm(token, before, p), first, p)]
        blended.append(token + linear(np.array(hidden), second, p))
    return np.concatenate(blended), attention


def blend_all(
    blending: FeatureBlending, parts: Tensor, global_: Tensor
) -> tuple[np.ndarray, np.ndarray]:
    pairs = [
        [blend_one(blending, part, g, p) for p, part in enumerate(image)]
        for image, g in zip(array(parts), array(global_), strict=True)
    ]
    return tuple(np.array([[pair[i] for pair in image] for image in pairs]) for i in range(2))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 0.03)]
)
@torch.no_grad()
def test_blending_equals_a_plain_loop(
    case: tuple[int, int, int], dtype: torch.dtype, tolerance: float
) -> None:
    """To `tolerance`, relative to the largest value: bfloat16 has a precision of 1/256."""
    images, width, parts = case
    blending, inputs = make(width, parts, dtype), random_inputs(*case, dtype)
    expected, attention = blend_all(blending, *inputs)
    blended, weights = blending(*inputs), blending.attention(*inputs)
    assert blended.dtype == weights.dtype == dtype
    assert blended.shape == (images, parts, width)
    assert np.abs(array(blended) - expected).max() <= tolerance * np.abs(expected).max()
    assert np.abs(array(weights) - attention).max() <= tolerance


def test_weights_are_initialised_like_torchs_attention() -> None:
    """Each layer's bounds are those of nn.MultiheadAttention and nn.Linear."""
    torch.manual_seed(0)
    blending, theirs = FeatureBlending(96, 200).requires_grad_(False), nn.MultiheadAttention(16, 2)
    for layer in (blending.query, blending.key, blending.value):
        bound = float(theirs.in_proj_weight.detach().abs().max())
        assert float(layer.weight.abs().max()) == pytest.approx(bound, rel=0.02)
        assert float(layer.weight.std()) == pytest.approx(bound / 3**0.5, rel=0.02)
        assert not layer.bias.any()
    assert float(blending.projection.weight.abs().max()) == pytest.approx(0.25, rel=0.02)
    assert not blending.projection.bias.any()
    assert float(blending.feed_forward[1].bias.abs().max()) == pytest.approx(0.25, rel=0.02)
    assert float(blending.part_position.std()) == pytest.approx(0.02, rel=0.02)


def test_each_part_has_its_own_weights() -> None:
    blending, (parts, global_) = make(48, 4), random_inputs(3, 48, 4)
    blending(parts, global_)[:, 1].square().sum().backward()
    for name, weight in blending.named_parameters():
        touched = weight.grad.unflatten(0, (4, -1)).flatten(1).abs().sum(dim=1) > 0
        # a bias of the keys shifts a query's similarities equally: softmax ignores it
        if name != "key.bias":
            assert touched.tolist() == [False, True, False, False], name


def test_blending_passes_gradcheck(long: bool) -> None:
    """For the inputs and every weight, in a random direction; with --long in each."""
    blending = make(32, 2, torch.float64)
    inputs = [value.requires_grad_() for value in random_inputs(2, 32, 2, torch.float64)]
    weights = dict(blending.named_parameters())

    def blend(parts: Tensor, global_: Tensor, *values: Tensor) -> Tensor:
        named = dict(zip(weights, values, strict=True))
        return torch.func.functional_call(blending, named, (parts, global_))

    assert torch.autograd.gradcheck(blend, (*inputs, *weights.values()), fast_mode=not long)
