"""DukeMTMC-reID: Ristani et al., ECCV 2016 workshops; Zheng et al., ICCV 2017."""

from __future__ import annotations

from pipeline.data.datasets.base import Dataset, counts
from pipeline.data.datasets.market1501 import market_layout

WITHDRAWN = (
    "DukeMTMC was withdrawn by its authors in 2019, because the people in it had not consented. "
    "The workflow never fetches it and reads only your own copy; consider whether to use it, and "
    "state it in publications."
)
CAMERAS = frozenset(range(1, 9))

# 408 of the gallery's 1,110 identities have no query; they stay.
DUKEMTMC_REID = Dataset(
    title="DukeMTMC-reID",
    layouts=(market_layout(),),
    archive="DukeMTMC-reID.zip",
    terms=WITHDRAWN,
    counts=counts(train=(702, 16522), query=(702, 2228), gallery=(1110, 17661)),
    cameras=CAMERAS,
)
