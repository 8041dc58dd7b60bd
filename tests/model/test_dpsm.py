"""DPSM against plain loops over one image, and the corner cases of the paper's rule."""

from __future__ import annotations

import itertools
import math
import random
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from pipeline.model.dpsm import Selection, pool_parts, select_tokens

ROWS, COLUMNS, WIDTH = 8, 4, 6
COUNT = ROWS * COLUMNS


class Rule(NamedTuple):
    """All options of selection and pooling."""

    k_min: int
    threshold: str = "drop"
    similarity: str = "dot"
    proxy: str = "patch"
    order: str = "score"
    parts: int = 4

    def select(self, class_token: Tensor, patches: Tensor) -> Selection:
        return select_tokens(
            class_token, patches, self.k_min, self.similarity, self.proxy, self.threshold
        )

    def pool(self, patches: Tensor, selection: Selection, rows: int = 8) -> Tensor:
        return pool_parts(patches, selection, rows, self.parts, self.order)


RULES = list(itertools.product(["drop", "otsu"], ["dot", "cosine"], ["patch", "class"]))


def random_tokens(
    seed: int, images: int = 5, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    class_token = torch.randn(images, WIDTH, generator=generator, dtype=dtype)
    return class_token, torch.randn(images, COUNT, WIDTH, generator=generator, dtype=dtype)


def count_above(falling: list[float], threshold: str) -> int:
    if threshold == "drop":
        drops = [a - b for a, b in itertools.pairwise(falling)]
        return drops.index(max(drops)) + 1
    rest, variances = falling[1:], []
    for j in range(1, len(rest)):
        upper, lower = rest[:j], rest[j:]
        gap = sum(upper) / len(upper) - sum(lower) / len(lower)
        variances.append(len(upper) * len(lower) * gap**2)
    return variances.index(max(variances)) + 2


def select_one(g: Tensor, x: Tensor, rule: Rule) -> tuple[list[int], list[float], int]:
    """Kept tokens by falling score, all scores, and the proxy of one image."""

    def similarity(a: Tensor, b: Tensor) -> float:
        scale = a.norm() * b.norm() if rule.similarity == "cosine" else 1
        return float(a @ b / scale)

    nearest = [similarity(g, token) for token in x]
    proxy = nearest.index(max(nearest))
    query = g if rule.proxy == "class" else x[proxy]
    scores = [similarity(query, token) for token in x]
    order = sorted(range(len(x)), key=lambda i: -scores[i])  # sorted is stable
    k = max(count_above([scores[i] for i in order], rule.threshold), rule.k_min)
    return order[: min(k, len(x))], scores, proxy


def pool_one(x: Tensor, kept: list[int], rule: Rule) -> Tensor:
    parts = []
    for p in range(rule.parts):
        if rule.order == "stripe":
            height = ROWS // rule.parts
            stripe = [i for i in range(len(x)) if i // COLUMNS // height == p]
            own = [i for i in stripe if i in kept]
            chosen = own if len(own) >= 4 else stripe
        else:
            ordered = kept if rule.order == "score" else sorted(kept)
            start = math.floor(p * len(kept) / rule.parts)
            chosen = ordered[start : math.ceil((p + 1) * len(kept) / rule.parts)]
        parts.append(sum(x[i] for i in chosen) / len(chosen))
    return torch.stack(parts)


@pytest.mark.parametrize(("threshold", "similarity", "proxy"), RULES)
@pytest.mark.parametrize("k_min", [1, 5, COUNT])
def test_every_rule_equals_a_plain_loop(
    threshold: str, similarity: str, proxy: str, k_min: int
) -> None:
    for seed, order, parts in itertools.product(
        range(2), ["score", "raster", "stripe"], [1, 2, 4, 8]
    ):
        rule = Rule(
            threshold=threshold,
            similarity=similarity,
            proxy=proxy,
            k_min=k_min,
            order=order,
            parts=parts,
        )
        class_token, patches = random_tokens(seed)
        selection = rule.select(class_token, patches)
        pooled = rule.pool(patches, selection)
        for i in range(len(patches)):
            kept, scores, nearest = select_one(class_token[i], patches[i], rule)
            assert selection.kept[i].nonzero().flatten().tolist() == sorted(kept)
            assert selection.k[i] == len(kept)
            assert selection.proxy[i] == nearest
            assert torch.allclose(selection.scores[i], torch.tensor(scores), atol=1e-5)
            assert torch.allclose(pooled[i], pool_one(patches[i], kept, rule), atol=1e-5)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-5), (torch.bfloat16, 0.02)]
)
@pytest.mark.parametrize("seed", range(12))
def test_random_sizes_and_types_equal_a_plain_loop(
    seed: int, dtype: torch.dtype, tolerance: float
) -> None:
    """Relative to the lengths of the tokens; bfloat16 has a precision of 1/256.

    Rounding may swap tokens with close scores, so the rule is applied to the scores found.
    """
    rng = random.Random(seed)
    parts, columns, width = rng.choice([1, 2, 4]), rng.randint(1, 7), rng.randint(1, 40)
    rows = parts * rng.randint(2, 4)
    rule = Rule(
        parts=parts,
        k_min=rng.randint(1, rows * columns),
        order=rng.choice(["score", "raster"]),
        threshold=rng.choice(["drop", "otsu"]),
        proxy=rng.choice(["patch", "class"]),
    )
    generator = torch.Generator().manual_seed(seed)
    class_token = torch.randn(3, width, generator=generator).to(dtype)
    patches = torch.randn(3, rows * columns, width, generator=generator).to(dtype)
    selection = rule.select(class_token, patches)
    pooled = rule.pool(patches, selection, rows)
    assert pooled.dtype == dtype
    for i, (g, x) in enumerate(zip(class_token.double(), patches.double(), strict=True)):
        nearest = [float(g @ token) for token in x]
        query = g if rule.proxy == "class" else x[selection.proxy[i]]
        lengths = float(max(g.norm(), x.norm(dim=1).max()) ** 2)
        assert nearest[selection.proxy[i]] >= max(nearest) - tolerance * lengths
        scores = selection.scores[i].tolist()
        exact = [float(query @ token) for token in x]
        assert scores == pytest.approx(exact, abs=tolerance * lengths)
        order = sorted(range(len(x)), key=lambda j, scores=scores: -scores[j])
        above = count_above([scores[j] for j in order], rule.threshold)
        kept = order[: max(above, rule.k_min)]
        assert selection.kept[i].nonzero().flatten().tolist() == sorted(kept)
        expected = pool_one(x, kept, rule)
        assert (pooled[i].double() - expected).abs().max() <= tolerance * x.abs().max()


def tokens_with_scores(*scores: float) -> tuple[Tensor, Tensor]:
    """Make one image whose tokens have these scores: class token (1, 0), tokens (s, 0)."""
    values = torch.tensor(scores)
    return torch.tensor([[1.0, 0.0]]), torch.stack([values, torch.zeros_like(values)], 1)[None]


def test_the_tokens_before_the_largest_drop_are_kept() -> None:
    class_token, patches = tokens_with_scores(0.1, 0.9, 0.2, 1.0, 0.8)
    selection = select_tokens(class_token, patches, k_min=1)
    assert selection.kept[0].tolist() == [False, True, False, True, True]
    assert selection.k.tolist() == [3]
    assert selection.proxy.tolist() == [3]


def test_equal_scores_are_kept_in_raster_order() -> None:
    class_token, patches = tokens_with_scores(1.0, 2.0, 1.0, 1.0, 1.0)
    selection = select_tokens(class_token, patches, k_min=3)
    assert selection.kept[0].tolist() == [True, True, True, False, False]


@pytest.mark.parametrize(("parts", "rows"), [(1, 8), (2, 8), (4, 8), (8, 8), (4, 16)])
def test_without_a_selection_the_parts_are_the_stripes(parts: int, rows: int) -> None:
    _, patches = random_tokens(5)
    pooled = pool_parts(patches, None, rows, parts)
    assert torch.allclose(pooled, patches.unflatten(1, (parts, -1)).mean(dim=2), atol=1e-6)


@pytest.mark.parametrize("order", ["score", "raster"])
def test_gradients_flow_through_kept_tokens_only(order: str) -> None:
    rule = Rule(order=order, k_min=6)
    class_token, patches = (token.requires_grad_() for token in random_tokens(6))
    selection = rule.select(class_token, patches)
    rule.pool(patches, selection).square().sum().backward()
    assert class_token.grad is None
    assert torch.equal(patches.grad.abs().sum(dim=2) > 0, selection.kept)


def test_a_stripe_with_few_kept_tokens_is_averaged_whole() -> None:
    _, patches = random_tokens(8, images=1)
    kept = torch.zeros(1, COUNT, dtype=torch.bool)
    kept[0, :3] = kept[0, 8:12] = True  # three tokens of the first stripe, four of the second
    scores = kept.float()
    selection = Selection(kept, kept.sum(dim=1), scores, torch.zeros(1, dtype=torch.long))
    parts = pool_parts(patches, selection, ROWS, order="stripe")[0]
    assert torch.allclose(parts[0], patches[0, :8].mean(dim=0), atol=1e-6)
    assert torch.allclose(parts[1], patches[0, 8:12].mean(dim=0), atol=1e-6)
    assert torch.allclose(parts[2], patches[0, 16:24].mean(dim=0), atol=1e-6)
    others = pool_parts(patches, selection, ROWS, order="stripe", sparse_stripe="kept")[0]
    assert torch.equal(others[1], parts[1])
    for part in (0, 2, 3):
        assert torch.allclose(others[part], patches[0, kept[0]].mean(dim=0), atol=1e-6)
