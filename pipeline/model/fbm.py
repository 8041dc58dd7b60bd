"""Feature blending (FBM): part features take up what the global feature knows.

DPEFormer, arXiv 2402.10435.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import InputError
from pipeline.model.tokens import BLENDING_TOKEN_WIDTH as TOKEN_WIDTH

HEADS = 2


class PartLinear(nn.Module):
    """A linear layer of each part on its own tokens: (B, P, T, 16) to (B, P, T, 16).

    Every part's weights are drawn as `nn.Linear` draws them.
    """

    def __init__(self, parts: int) -> None:
        """For P `parts`."""
        super().__init__()
        self.weight = nn.Parameter(torch.empty(parts, TOKEN_WIDTH, TOKEN_WIDTH))
        # flat, like the vectors of PartNorm: the optimiser decays matrices, not vectors
        self.bias = nn.Parameter(torch.empty(parts * TOKEN_WIDTH))
        for parameter in (self.weight, self.bias):
            nn.init.uniform_(parameter, -(TOKEN_WIDTH**-0.5), TOKEN_WIDTH**-0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        """Each part's tokens through its own weights."""
        product = torch.einsum("bpti,poi->bpto", tokens, self.weight)
        return product + _of_parts(self.bias)


class PartNorm(nn.Module):
    """A layer norm of each part over its own tokens (B, P, T, 16)."""

    def __init__(self, parts: int) -> None:
        """For P `parts`."""
        super().__init__()
        self.weight = nn.Parameter(torch.ones(parts * TOKEN_WIDTH))
        self.bias = nn.Parameter(torch.zeros(parts * TOKEN_WIDTH))

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens of mean 0 and variance 1, scaled and shifted by their part's weights."""
        normed = functional.layer_norm(tokens, (TOKEN_WIDTH,))
        return normed * _of_parts(self.weight) + _of_parts(self.bias)


class FeatureBlending(nn.Module):
    """Blend the global feature into each part: a pre-norm cross-attention block on slices of both.

    Both features of width D are cut into T = D / 16 tokens with a learned position each. A part's
    tokens ask (queries), the global feature's answer (keys and values). Each of the P parts has a
    block of its own; all are computed at once.
    """

    def __init__(self, width: int, parts: int) -> None:
        """For P `parts` of `width` D; InputError where 16 does not divide it."""
        super().__init__()
        if width % TOKEN_WIDTH:
            raise InputError(
                f"config: model.fusion: fbm cuts features into tokens of width {TOKEN_WIDTH}, but "
                f"the backbone's width is {width}: choose a backbone.embed_dim that {TOKEN_WIDTH} "
                "divides, or fusion none"
            )
        tokens = width // TOKEN_WIDTH
        self.part_position = nn.Parameter(torch.empty(parts, tokens, TOKEN_WIDTH))
        self.global_position = nn.Parameter(torch.empty(parts, tokens, TOKEN_WIDTH))
        self.part_norm = PartNorm(parts)
        self.global_norm = PartNorm(parts)
        self.query, self.key, self.value = (PartLinear(parts) for _ in range(3))
        self.projection = PartLinear(parts)
        self.feed_forward = nn.Sequential(
            PartNorm(parts), PartLinear(parts), nn.GELU(), PartLinear(parts)
        )
        self._initialise()

    def _initialise(self) -> None:
        """Positions are small; the attention starts as `nn.MultiheadAttention` does."""
        for position in (self.part_position, self.global_position):
            nn.init.trunc_normal_(position, std=0.02)
        bound = (6 / (TOKEN_WIDTH + 3 * TOKEN_WIDTH)) ** 0.5  # Xavier's, of the three as one matrix
        for layer in (self.query, self.key, self.value):
            nn.init.uniform_(layer.weight, -bound, bound)
        for layer in (self.query, self.key, self.value, self.projection):
            nn.init.zeros_(layer.bias)

    def forward(self, parts: Tensor, global_: Tensor) -> Tensor:
        """The blended parts (B, P, D) of the parts (B, P, D) and the global feature (B, D)."""
        tokens, source = self._cut(parts, global_)
        answer = self._attention(tokens, source) @ _heads(self.value(source))  # (B, P, 2, T, 8)
        tokens = tokens + self.projection(answer.transpose(2, 3).flatten(3))
        tokens = tokens + self.feed_forward(tokens)
        return tokens.flatten(2)

    def attention(self, parts: Tensor, global_: Tensor) -> Tensor:
        """How much each token of a part looks at each of the global feature, for each head.

        (B, P, heads, T, T) of the same inputs as `forward`; the last axis sums to 1.
        """
        return self._attention(*self._cut(parts, global_))

    def _cut(self, parts: Tensor, global_: Tensor) -> tuple[Tensor, Tensor]:
        """The parts' tokens, and the global feature's after their norm: both (B, P, T, 16)."""
        tokens = parts.unflatten(2, (-1, TOKEN_WIDTH)) + self.part_position
        source = global_.unflatten(1, (-1, TOKEN_WIDTH))[:, None] + self.global_position
        return tokens, self.global_norm(source)

    def _attention(self, tokens: Tensor, source: Tensor) -> Tensor:
        query, key = _heads(self.query(self.part_norm(tokens))), _heads(self.key(source))
        similarity = query @ key.transpose(-2, -1)  # (B, P, 2, T, T)
        return (similarity * query.shape[-1] ** -0.5).softmax(dim=-1)


def _of_parts(vector: Tensor) -> Tensor:
    """(P 16,) as (P, 1, 16): the same for all tokens of a part."""
    return vector.unflatten(0, (-1, 1, TOKEN_WIDTH))


def _heads(tokens: Tensor) -> Tensor:
    """(B, P, T, 16) as (B, P, heads, T, 16 / heads)."""
    return tokens.unflatten(3, (HEADS, -1)).transpose(2, 3)
