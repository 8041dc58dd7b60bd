"""Published numbers, shown beside ours on the same datasets only."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.run import Benchmark

DPEFORMER_PAPER = "arXiv 2402.10435"
TRANSREID_README = "TransReID's README"  # github.com/damo-cv/TransReID


class Published(NamedTuple):
    """A row of a published table; rank-1 and mAP in percent, of a single run."""

    method: str
    rank1: float
    map: float
    source: str = DPEFORMER_PAPER
    """Where the number is printed; DPEFormer's paper quotes the methods that it compares with."""
    variants: tuple[str, ...] = ()
    """Our variants (config.yaml) that should reproduce the number."""
    deviation: str = ""
    """How the published method deviates from those variants; it is then not judged."""
    remark: str = ""
    """Shown with every verdict."""


UNTRACED = "cannot be traced to the authors' released code, which does not start"
_DEVIATION = "triplet instead of contrastive loss, random erasing, tested by the class token"


def _dpeformer(rank1: float, map: float) -> Published:
    variants = ("dpeformer", "dpeformer_k24")  # k_min of the paper's text, and of the released code
    return Published("DPEFormer", rank1, map, variants=variants, remark=UNTRACED)


def _own(dataset: str) -> Benchmark:
    """Return the benchmark that trains on the dataset's own training images."""
    return Benchmark(dataset, trained_on=dataset)


PUBLISHED: dict[Benchmark, tuple[Published, ...]] = {
    _own("occluded_duke"): (
        Published("ViT-B baseline", 61.1, 53.8, TRANSREID_README, ("baseline",), _DEVIATION),
        Published("TransReID*", 67.4, 59.5, TRANSREID_README),
        Published("PGFA", 51.4, 37.3),
        Published("HOReID", 55.1, 43.8),
        Published("PAT", 64.5, 53.6),
        Published("FED", 68.1, 56.4),
        Published("BPBreID", 66.7, 54.1),
        _dpeformer(69.9, 58.9),
    ),
    Benchmark("occluded_reid", trained_on="market1501"): (  # it has no training images
        Published("HOReID", 80.3, 70.2),
        Published("PAT", 81.6, 72.1),
        Published("FED", 86.3, 79.3),
        Published("BPBreID", 76.9, 68.6),
        _dpeformer(87.0, 79.5),
    ),
    _own("market1501"): (
        Published("PGFA", 91.2, 76.8),
        Published("HOReID", 94.2, 84.9),
        Published("PAT", 95.4, 88.0),
        Published("FED", 95.0, 86.3),
        Published("BPBreID", 95.1, 87.0),
        _dpeformer(95.4, 88.1),
    ),
    _own("dukemtmc_reid"): (
        Published("PGFA", 82.6, 65.5),
        Published("HOReID", 86.9, 75.6),
        Published("PAT", 88.8, 78.2),
        Published("FED", 89.4, 78.0),
        Published("BPBreID", 89.6, 78.3),
        _dpeformer(90.0, 80.3),
    ),
}
"""By the names of the datasets in the configuration, in the order of the papers."""


def published_rows(benchmark: Benchmark) -> tuple[Published, ...]:
    """Return the published rows for the datasets of `benchmark`, for any names of results."""
    return PUBLISHED.get(benchmark.protocol, ())
