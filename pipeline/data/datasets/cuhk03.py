"""CUHK03 in the new protocol, as two datasets: with detected and with hand-labelled boxes.

Li et al., "DeepReID", CVPR 2014; the protocol with 767 training identities is by Zhong et al.,
"Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017.
"""

from __future__ import annotations

from pipeline.data.datasets.base import Dataset, counts
from pipeline.data.datasets.market1501 import market_layout

_ARCHIVE = "cuhk03-np.zip"
_ADVICE = (
    "the authors' cuhk-03.mat does not have this protocol's splits: give cuhk03-np.zip of "
    "github.com/zhunzhong07/person-re-ranking (folder CUHK03-NP), or the folder that its scripts "
    "write"
)
_TERMS = "Li et al., CVPR 2014: for research."
_CAMERAS = frozenset((1, 2))

CUHK03_DETECTED = Dataset(
    title="CUHK03-NP (detected)",
    layouts=(market_layout("detected/"),),
    archive=_ARCHIVE,
    advice=_ADVICE,
    terms=_TERMS,
    counts=counts(train=(767, 7365), query=(700, 1400), gallery=(700, 5332)),
    cameras=_CAMERAS,
)
CUHK03_LABELED = Dataset(
    title="CUHK03-NP (labeled)",
    layouts=(market_layout("labeled/"),),
    archive=_ARCHIVE,
    advice=_ADVICE,
    terms=_TERMS,
    counts=counts(train=(767, 7368), query=(700, 1400), gallery=(700, 5328)),
    cameras=_CAMERAS,
)
