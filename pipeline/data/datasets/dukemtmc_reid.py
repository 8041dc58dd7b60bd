"""DukeMTMC-reID: Ristani et al., ECCV 2016 workshops; Zheng et al., ICCV 2017."""

from __future__ import annotations

from pipeline.data.datasets.base import Dataset, counts
from pipeline.data.datasets.market1501 import market_layout

WITHDRAWN = (
    "DukeMTMC was withdrawn by its authors in 2019: the people in it had not agreed to be filmed "
    "for this. It is read only from a file that you have, and never fetched; weigh whether to use "
    "it, and say so where you publish."
)
CAMERAS = frozenset(range(1, 9))

# 408 of the gallery's 1,110 identities are never searched for; they stay.
DUKEMTMC_REID = Dataset(
    title="DukeMTMC-reID",
    layouts=(market_layout(),),
    archive="DukeMTMC-reID.zip",
    terms=WITHDRAWN,
    counts=counts(train=(702, 16522), query=(702, 2228), gallery=(1110, 17661)),
    cameras=CAMERAS,
)
