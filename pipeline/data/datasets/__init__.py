"""The datasets that can be used, by the name that data.dataset gives them.

A protocol that changes numbers is part of the name: every path, record and table then says it.
"""

from __future__ import annotations

from pipeline.data.datasets.base import Dataset
from pipeline.data.datasets.bodies import (
    OCCLUDED_REID,
    PARTIAL_ILIDS,
    PARTIAL_REID_OCCLUDED,
    PARTIAL_REID_PARTIAL,
)
from pipeline.data.datasets.cuhk03 import CUHK03_DETECTED, CUHK03_LABELED
from pipeline.data.datasets.dukemtmc_reid import DUKEMTMC_REID
from pipeline.data.datasets.folder import FOLDER
from pipeline.data.datasets.market1501 import MARKET1501, market_layout
from pipeline.data.datasets.msmt17 import MSMT17_TRAIN, MSMT17_TRAINVAL
from pipeline.data.datasets.occluded_duke import OCCLUDED_DUKE
from pipeline.data.datasets.p_dukemtmc import P_DUKEMTMC

# the manifests of the rendered benchmark have always had its top folder in their paths
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
