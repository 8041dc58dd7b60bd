"""The datasets, by their name in data.dataset.

Protocols with different results have different names, which appear in paths, records and tables.
"""

from __future__ import annotations

from pipeline.data.datasets.base import Dataset
from pipeline.data.datasets.cuhk03 import CUHK03_DETECTED, CUHK03_LABELED
from pipeline.data.datasets.dukemtmc_reid import DUKEMTMC_REID
from pipeline.data.datasets.folder import FOLDER
from pipeline.data.datasets.market1501 import MARKET1501, market_layout
from pipeline.data.datasets.msmt17 import MSMT17_TRAIN, MSMT17_TRAINVAL
from pipeline.data.datasets.occluded_duke import OCCLUDED_DUKE
from pipeline.data.datasets.p_dukemtmc import P_DUKEMTMC
from pipeline.data.datasets.partial_reid import (
    OCCLUDED_REID,
    PARTIAL_ILIDS,
    PARTIAL_REID_OCCLUDED,
    PARTIAL_REID_PARTIAL,
)

# the first layout keeps the archive's top folder in the manifest's paths
SYNTHETIC = Dataset(
    title="synthetic pedestrians",
    layouts=(market_layout("Synthetic-Occluded/"), market_layout()),
)
DATASETS: dict[str, Dataset] = {
    "synthetic": SYNTHETIC,
    "market1501": MARKET1501,
    "dukemtmc_reid": DUKEMTMC_REID,
    "occluded_duke": OCCLUDED_DUKE,
    "occluded_reid": OCCLUDED_REID,
    "p_dukemtmc": P_DUKEMTMC,
    "partial_reid_partial": PARTIAL_REID_PARTIAL,
    "partial_reid_occluded": PARTIAL_REID_OCCLUDED,
    "partial_ilids": PARTIAL_ILIDS,
    "msmt17_train": MSMT17_TRAIN,
    "msmt17_trainval": MSMT17_TRAINVAL,
    "cuhk03_detected": CUHK03_DETECTED,
    "cuhk03_labeled": CUHK03_LABELED,
    "folder": FOLDER,
}
