"""Feature blending (FBM): part features take up what the global feature knows.

DPEFormer, arXiv 2402.10435.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.errors import InputError

TOKEN_WIDTH = 16
HEADS = 2


class FeatureBlending(nn.Module):
    """Blend the global feature into one part: a pre-norm cross-attention block on slices of both.

    Both features of width D are cut into D / 16 tokens with a learned position each. The part's
    tokens ask (queries), the global feature's answer (keys and values).
    """

    def __init__(self, width: int) -> None:
        """For features of `width` D; InputError where 16 does not divide it."""
        super().__init__()
        if width % TOKEN_WIDTH:
            raise InputError(
                f"config: model.fusion: fbm cuts features into tokens of width {TOKEN_WIDTH}, but "
                f"the backbone's width is {width}: choose a backbone.embed_dim that {TOKEN_WIDTH} "
                "divides, or fusion none"
            )
        tokens = width // TOKEN_WIDTH
        self.part_position = nn.Parameter(torch.empty(tokens, TOKEN_WIDTH))
        self.global_position = nn.Parameter(torch.empty(tokens, TOKEN_WIDTH))
        for position in (self.part_position, self.global_position):
            nn.init.trunc_normal_(position, std=0.02)
        self.part_norm = nn.LayerNorm(TOKEN_WIDTH)
        self.global_norm = nn.LayerNorm(TOKEN_WIDTH)
        self.cross_attention = nn.MultiheadAttention(TOKEN_WIDTH, HEADS, batch_first=True)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(TOKEN_WIDTH),
            nn.Linear(TOKEN_WIDTH, TOKEN_WIDTH),
            nn.GELU(),
            nn.Linear(TOKEN_WIDTH, TOKEN_WIDTH),
        )

    def forward(self, part: Tensor, global_: Tensor) -> Tensor:
        """The blended part (B, D) of a part feature (B, D) and the global feature (B, D)."""
        tokens, source = self._tokens(part, global_)
        asking = self.part_norm(tokens)
        blended, _ = self.cross_attention(asking, source, source, need_weights=False)
        tokens = tokens + blended
        tokens = tokens + self.feed_forward(tokens)
        return tokens.flatten(1)

    def attention(self, part: Tensor, global_: Tensor) -> Tensor:
        """How much each slice of the part takes up of each slice of the global feature.

        (B, heads, D / 16, D / 16) for the features (B, D) of `forward`; each row sums to 1.
        """
        tokens, source = self._tokens(part, global_)
        asking = self.part_norm(tokens)
        return self.cross_attention(asking, source, source, average_attn_weights=False)[1]

    def _tokens(self, part: Tensor, global_: Tensor) -> tuple[Tensor, Tensor]:
        """Slices of both features with their positions, (B, D / 16, 16); the second ones normed."""
        tokens = part.unflatten(1, (-1, TOKEN_WIDTH)) + self.part_position
        source = global_.unflatten(1, (-1, TOKEN_WIDTH)) + self.global_position
        return tokens, self.global_norm(source)
