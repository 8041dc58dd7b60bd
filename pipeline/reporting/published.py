"""Numbers that others have published, to stand beside ours on the same dataset and nowhere else."""

from __future__ import annotations

from typing import NamedTuple

DPEFORMER_PAPER = "arXiv 2402.10435"
TRANSREID_README = "TransReID's README"  # github.com/damo-cv/TransReID


class Published(NamedTuple):
    """A row of a published table; rank-1 and mAP in percent, of a single run."""

    method: str
    rank1: float
    map: float
    source: str = DPEFORMER_PAPER
    """Where the number was read; DPEFormer's paper quotes the methods that it compares with."""


PUBLISHED: dict[str, tuple[Published, ...]] = {
    "occluded_duke": (
        Published("ViT-B baseline", 61.1, 53.8, TRANSREID_README),
        Published("TransReID*", 67.4, 59.5, TRANSREID_README),
        Published("PGFA", 51.4, 37.3),
        Published("HOReID", 55.1, 43.8),
        Published("PAT", 64.5, 53.6),
        Published("FED", 68.1, 56.4),
        Published("BPBreID", 66.7, 54.1),
        Published("DPEFormer", 69.9, 58.9),
    ),
    "occluded_reid": (
        Published("HOReID", 80.3, 70.2),
        Published("PAT", 81.6, 72.1),
        Published("FED", 86.3, 79.3),
        Published("BPBreID", 76.9, 68.6),
        Published("DPEFormer", 87.0, 79.5),
    ),
    "market1501": (
        Published("PGFA", 91.2, 76.8),
        Published("HOReID", 94.2, 84.9),
        Published("PAT", 95.4, 88.0),
        Published("FED", 95.0, 86.3),
        Published("BPBreID", 95.1, 87.0),
        Published("DPEFormer", 95.4, 88.1),
    ),
    "dukemtmc_reid": (
        Published("PGFA", 82.6, 65.5),
        Published("HOReID", 86.9, 75.6),
        Published("PAT", 88.8, 78.2),
        Published("FED", 89.4, 78.0),
        Published("BPBreID", 89.6, 78.3),
        Published("DPEFormer", 90.0, 80.3),
    ),
}
"""By the dataset's name in the configuration, in the order of the papers."""
