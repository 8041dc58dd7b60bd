"""The smallest real network that tests build."""

from __future__ import annotations

from typing import Any

from pipeline.options.run import BackboneOptions


def tiny_backbone(**values: Any) -> BackboneOptions:
    """A ViT with patches of 8 pixels, 32 wide and one block deep, but for `values`."""
    tiny = {
        "name": "vit_tiny_patch16_224",
        "patch_size": 8,
        "embed_dim": 32,
        "depth": 1,
        "num_heads": 2,
    }
    return BackboneOptions.model_validate(tiny | values)
