"""Dynamic patch token selection (DPSM): which patch tokens of an image show the person.

DPEFormer, arXiv 2402.10435. The selection is a hard attention within each image: it does not depend
on the other images of the batch, and gradients flow through the kept tokens only.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

Similarity = Literal["dot", "cosine"]
Proxy = Literal["patch", "class"]
Threshold = Literal["drop", "otsu"]
Order = Literal["score", "raster", "stripe"]
SparseStripe = Literal["stripe", "kept"]

MIN_KEPT_IN_STRIPE = 4
"""Stripes with fewer kept tokens use `sparse_stripe`: too few tokens are mostly noise."""


class Selection(NamedTuple):
    """The selected tokens of each image."""

    kept: Tensor
    """(B, N) bool, in raster order."""
    k: Tensor
    """(B,) int64: number of kept tokens."""
    scores: Tensor
    """(B, N) float32: similarity to the proxy, in raster order."""
    proxy: Tensor
    """(B,) int64: the patch token nearest to the class token."""


@torch.no_grad()
def select_tokens(
    class_token: Tensor,
    patch_tokens: Tensor,
    k_min: int = 48,
    similarity: Similarity = "dot",
    proxy: Proxy = "patch",
    threshold: Threshold = "drop",
) -> Selection:
    """Choose the tokens of the person in each image, from (B, D) and (B, N, D), N > 1.

    The proxy is the patch token nearest to the class token; every token is scored by its
    similarity to the proxy (or, with `proxy` class, to the class token itself); the tokens above
    the threshold are kept, and at least `k_min`. Of equal scores the first in raster order wins.
    """
    if similarity == "cosine":
        class_token = functional.normalize(class_token, dim=-1)
        patch_tokens = functional.normalize(patch_tokens, dim=-1)
    scores = _similarity(patch_tokens, class_token)
    nearest = scores.argmax(dim=1)
    if proxy == "patch":
        images = torch.arange(nearest.shape[0], device=nearest.device)
        scores = _similarity(patch_tokens, patch_tokens[images, nearest])
    falling = scores.sort(dim=1, descending=True).values
    above = _before_largest_drop(falling) if threshold == "drop" else _otsu(falling)
    k = above.clamp(min=k_min, max=scores.shape[1])
    return Selection(_ranks(scores) < k[:, None], k, scores, nearest)


def pool_parts(
    patch_tokens: Tensor,
    selection: Selection | None,
    rows: int,
    parts: int = 4,
    order: Order = "score",
    sparse_stripe: SparseStripe = "stripe",
) -> Tensor:
    """Average the kept tokens (B, N, D), N = `rows` x columns, into part features (B, P, D).

    `order` score and raster: adaptive average pooling of the kept tokens by falling score
    or in raster order, part p taking ranks floor(p k / P) to ceil((p + 1) k / P) - 1. stripe: part
    p averages the kept tokens of its own horizontal stripe; where fewer than `MIN_KEPT_IN_STRIPE`
    of it are kept, the whole stripe or all kept tokens, as `sparse_stripe` says. Without a
    selection, the stripes of all tokens.
    """
    members = _stripes(patch_tokens, parts, rows)
    if selection is not None:
        members = _members(selection, members, order, sparse_stripe)
    members = members.to(patch_tokens.dtype)
    weights = members / members.sum(dim=2, keepdim=True)
    return weights @ patch_tokens  # (B, P, N) @ (B, N, D)


def _similarity(patch_tokens: Tensor, query: Tensor) -> Tensor:
    return torch.einsum("bnd,bd->bn", patch_tokens, query).float()


def _ranks(scores: Tensor) -> Tensor:
    """(B, N) int64: rank of each token by falling score, 0 for the best."""
    order = scores.argsort(dim=1, descending=True, stable=True)
    return order.argsort(dim=1)


def _before_largest_drop(falling: Tensor) -> Tensor:
    """(B,) int64: number of the falling scores (B, N) before their largest drop."""
    return (falling[:, :-1] - falling[:, 1:]).argmax(dim=1) + 1


def _otsu(falling: Tensor) -> Tensor:
    """(B,) int64: number of the falling scores (B, N) in the upper of Otsu's two classes.

    The two classes have the largest variance between them. The best score is always in the upper
    one and is left out: un-normalised, the proxy's score with itself is an outlier.
    """
    rest = falling[:, 1:].double()
    upper = torch.arange(1, rest.shape[1], device=rest.device)
    lower = rest.shape[1] - upper
    sums = rest.cumsum(dim=1)
    upper_mean = sums[:, :-1] / upper
    lower_mean = (sums[:, -1:] - sums[:, :-1]) / lower
    between = upper * lower * (upper_mean - lower_mean).square()
    return between.argmax(dim=1) + 2  # + 1 for the best, + 1 from index to count


def _members(
    selection: Selection, stripes: Tensor, order: Order, sparse_stripe: SparseStripe
) -> Tensor:
    """(B, P, N) bool: the tokens that each part averages."""
    kept, parts = selection.kept, stripes.shape[1]
    if order == "score":
        return _windows(_ranks(selection.scores), selection.k, parts)
    if order == "raster":
        position = kept.cumsum(dim=1) - 1
        return _windows(position, selection.k, parts) & kept[:, None]
    members = stripes & kept[:, None]
    few = members.sum(dim=2, keepdim=True) < MIN_KEPT_IN_STRIPE
    instead = stripes if sparse_stripe == "stripe" else kept[:, None]
    return members & ~few | instead & few  # ONNX Runtime has no `where` of bool


def _windows(position: Tensor, length: Tensor, parts: int) -> Tensor:
    """(B, P, N) bool: the positions (B, N) in each of the P windows over `length` (B,).

    The windows are those of adaptive average pooling: they overlap if P does not divide a length.
    """
    part = torch.arange(parts, device=position.device)[:, None]  # (P, 1)
    length = length[:, None, None]  # (B, 1, 1)
    start = part * length // parts
    end = -(-(part + 1) * length // parts)
    position = position[:, None]  # (B, 1, N)
    return (position >= start) & (position < end)


def _stripes(patch_tokens: Tensor, parts: int, rows: int) -> Tensor:
    """(1, P, N) bool: the tokens of each of the P horizontal stripes of the grid."""
    token = torch.arange(patch_tokens.shape[1], device=patch_tokens.device)
    row = token // (len(token) // rows)
    return _windows(row[None], token.new_full((1,), rows), parts)  # a copy would wait for a GPU
