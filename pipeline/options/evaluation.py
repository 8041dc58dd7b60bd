"""The section `evaluation`: how the gallery is ranked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.options.base import Fraction, Positive, Section

FeatureDtype = Literal["float32", "float16"]


class RerankOptions(Section):
    """k-reciprocal re-ranking (Zhong et al., CVPR 2017), with the usual defaults.

    DPEFormer's released code uses k1 50, k2 15, lambda_value 0.3.
    """

    k1: Positive = 20
    """Number of nearest neighbours that are searched for k-reciprocal ones."""
    k2: Positive = 6
    """Number of nearest neighbours for local query expansion; 1: off."""
    lambda_value: Fraction = 0.3
    """Weight of the original distance; the Jaccard distance has weight 1 - lambda_value."""


class EvaluationOptions(Section):
    """How features are stored and the gallery is ranked; affects only the scores of a run."""

    feature_dtype: FeatureDtype = "float32"
    """Type of the features on disk; float16 halves their size and rounds them to 3 digits."""

    rerank: Annotated[
        RerankOptions | None,
        Field(description="Also report the test feature with re-ranking; null: no."),
    ] = None
