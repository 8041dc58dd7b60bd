"""The section `evaluation`: how the gallery is ranked."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.options.base import Fraction, Positive, Section


class RerankOptions(Section):
    """k-reciprocal re-ranking (Zhong et al., CVPR 2017); the defaults are the field's.

    DPEFormer's released code has k1 50, k2 15, lambda_value 0.3.
    """

    k1: Positive = 20
    """Nearest neighbours among which k-reciprocal ones are looked for."""
    k2: Positive = 6
    """Nearest neighbours over which the encoding of an image is averaged; 1: it is not."""
    lambda_value: Fraction = 0.3
    """Weight of the original distance; the Jaccard distance has the rest."""


class EvaluationOptions(Section):
    """How the gallery is ranked; changes the scores of a run and nothing before them."""

    rerank: Annotated[
        RerankOptions | None,
        Field(description="Rank by the test feature a second time, re-ranked; null: no."),
    ] = None
