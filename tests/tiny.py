"""The smallest network of the tests."""

from __future__ import annotations

from typing import Any

from pipeline.options.run import BackboneOptions


def tiny_backbone(**values: Any) -> BackboneOptions:
    """Return a ViT with patches of 8 pixels, width 32 and one block; `values` override these."""
    tiny = {
        "name": "vit_tiny_patch16_224",
        "patch_size": 8,
        "embed_dim": 32,
        "depth": 1,
        "num_heads": 2,
    }
    return BackboneOptions.model_validate(tiny | values)
