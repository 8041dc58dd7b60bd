"""Feature blending module (FBM): blend the global feature into the part features.

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

    Every part's weights are initialised as those of `nn.Linear`.
    """

    def __init__(self, parts: int) -> None:
        """Take the number P of `parts`."""
        super().__init__()
        self.weight = nn.Parameter(torch.empty(parts, TOKEN_WIDTH, TOKEN_WIDTH))
        # flat, like the vectors of PartNorm: the optimiser decays matrices, not vectors
        self.bias = nn.Parameter(torch.empty(parts * TOKEN_WIDTH))
        for parameter in (self.weight, self.bias):
            nn.init.uniform_(parameter, -(TOKEN_WIDTH**-0.5), TOKEN_WIDTH**-0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        """Apply each part's weights to its tokens."""
        product = torch.einsum("bpti,poi->bpto", tokens, self.weight)
        return product + _per_part(self.bias)


class PartNorm(nn.Module):
    """A layer norm of each part over its own tokens (B, P, T, 16)."""

    def __init__(self, parts: int) -> None:
        """Take the number P of `parts`."""
        super().__init__()
        self.weight = nn.Parameter(torch.ones(parts * TOKEN_WIDTH))
        self.bias = nn.Parameter(torch.zeros(parts * TOKEN_WIDTH))

    def forward(self, tokens: Tensor) -> Tensor:
        """Normalise each token to mean 0 and variance 1, then scale and shift it by its part."""
        normed = functional.layer_norm(tokens, (TOKEN_WIDTH,))
        return normed * _per_part(self.weight) + _per_part(self.bias)


class FeatureBlending(nn.Module):
    """Blend the global feature into each part: a pre-norm cross-attention block on slices of both.

    Both features of width D are cut into T = D / 16 tokens with a learned position each. A part's
    tokens are the queries, the global feature's tokens the keys and values. Each of the P parts has
    its own block; all are computed at once.
    """

    def __init__(self, width: int, parts: int) -> None:
        """Take P `parts` of `width` D; InputError if 16 does not divide D."""
        super().__init__()
        if width % TOKEN_WIDTH:
            raise InputError(
                f"config: model.fusion: fbm expected a multiple of {TOKEN_WIDTH} as width of the "
                f"backbone, found {width}: change backbone.embed_dim, or set model.fusion to none"
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
        """Initialise positions near 0 and the attention as `nn.MultiheadAttention` does."""
        for position in (self.part_position, self.global_position):
            nn.init.trunc_normal_(position, std=0.02)
        bound = (6 / (TOKEN_WIDTH + 3 * TOKEN_WIDTH)) ** 0.5  # Xavier's, of the three as one matrix
        for layer in (self.query, self.key, self.value):
            nn.init.uniform_(layer.weight, -bound, bound)
        for layer in (self.query, self.key, self.value, self.projection):
            nn.init.zeros_(layer.bias)

    def forward(self, parts: Tensor, global_: Tensor) -> Tensor:
        """Blend the global feature (B, D) into the parts (B, P, D): (B, P, D)."""
        tokens, source = self._cut(parts, global_)
        attended = self._attention(tokens, source) @ _heads(self.value(source))  # (B, P, 2, T, 8)
        tokens = tokens + self.projection(attended.transpose(2, 3).flatten(3))
        tokens = tokens + self.feed_forward(tokens)
        return tokens.flatten(2)

    def attention(self, parts: Tensor, global_: Tensor) -> Tensor:
        """Return the attention of each part token to each global token, (B, P, heads, T, T).

        Takes the inputs of `forward`; the last axis sums to 1.
        """
        return self._attention(*self._cut(parts, global_))

    def _cut(self, parts: Tensor, global_: Tensor) -> tuple[Tensor, Tensor]:
        """Cut both into tokens (B, P, T, 16) with positions; the global tokens are normalised."""
        tokens = parts.unflatten(2, (-1, TOKEN_WIDTH)) + self.part_position
        source = global_.unflatten(1, (-1, TOKEN_WIDTH))[:, None] + self.global_position
        return tokens, self.global_norm(source)

    def _attention(self, tokens: Tensor, source: Tensor) -> Tensor:
        query, key = _heads(self.query(self.part_norm(tokens))), _heads(self.key(source))
        similarity = query @ key.transpose(-2, -1)  # (B, P, 2, T, T)
        return (similarity * query.shape[-1] ** -0.5).softmax(dim=-1)


def _per_part(vector: Tensor) -> Tensor:
    """Reshape (P 16,) to (P, 1, 16), which broadcasts over the tokens of a part."""
    return vector.unflatten(0, (-1, 1, TOKEN_WIDTH))


def _heads(tokens: Tensor) -> Tensor:
    """Reshape (B, P, T, 16) to (B, P, heads, T, 16 / heads)."""
    return tokens.unflatten(3, (HEADS, -1)).transpose(2, 3)
